//! Asking again where a server is too busy.

use std::time::Duration;

use reqwest::StatusCode;

const TRIES: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// An error that knows whether it helps to ask again in a moment.
pub(crate) trait Passing {
    /// Whether it may pass by itself.
    fn may_pass(&self) -> bool;
}

/// Asks three times at most, with growing pauses, as long as the error may pass.
pub(crate) async fn retry<T, E: Passing, F: Future<Output = Result<T, E>>>(ask: impl Fn() -> F) -> Result<T, E> {
    let mut pause = FIRST_PAUSE;
    for _ in 1..TRIES {
        match ask().await {
            Err(error) if error.may_pass() => tokio::time::sleep(pause).await,
            answer => return answer,
        }
        pause *= 2;
    }
    ask().await
}

/// Whether a server that answers so is too busy, or broken for the moment.
pub(crate) fn is_passing(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 500 | 502 | 503 | 504)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    impl Passing for u16 {
        fn may_pass(&self) -> bool {
            StatusCode::from_u16(*self).is_ok_and(is_passing)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn asks_again_only_where_it_may_help() {
        let check = async |answers: [Result<u8, u16>; 3], want: Result<u8, u16>, want_asked: usize| {
            let asked = Cell::new(0);
            let got = retry(|| {
                asked.set(asked.get() + 1);
                std::future::ready(answers[asked.get() - 1])
            });
            assert_eq!((got.await, asked.get()), (want, want_asked));
        };
        check([Ok(1), Ok(2), Ok(3)], Ok(1), 1).await;
        check([Err(503), Err(429), Ok(3)], Ok(3), 3).await;
        check([Err(403), Ok(2), Ok(3)], Err(403), 1).await;
        check([Err(500), Err(500), Err(502)], Err(502), 3).await;
    }
}

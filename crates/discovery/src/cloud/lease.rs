//! Credentials and tokens, which hold for a while.

use model::Timestamp;
use tokio::sync::Mutex;

/// What ends within this is fetched anew, so that a round of questions that begins with it also ends with it.
const MARGIN_MS: i64 = 60_000;

/// Something that holds until a certain time, or for good.
#[derive(Debug, Clone)]
pub(crate) struct Leased<T> {
    pub(crate) value: T,
    pub(crate) until: Option<Timestamp>,
}

impl<T> Leased<T> {
    /// Something that doesn't end.
    pub(crate) fn for_good(value: T) -> Self {
        Leased { value, until: None }
    }
}

/// Keeps something as long as it holds.
#[derive(Debug)]
pub(crate) struct Lease<T>(Mutex<Option<Leased<T>>>);

impl<T> Default for Lease<T> {
    fn default() -> Self {
        Lease(Mutex::default())
    }
}

impl<T: Clone> Lease<T> {
    /// What is kept; where nothing is, or it ends soon, what `fetch` brings.
    pub(crate) async fn get<E>(
        &self,
        now: Timestamp,
        fetch: impl Future<Output = Result<Leased<T>, E>>,
    ) -> Result<T, E> {
        let mut kept = self.0.lock().await;
        if let Some(leased) = &*kept
            && leased.until.is_none_or(|until| until > now + MARGIN_MS)
        {
            return Ok(leased.value.clone());
        }
        let fresh = fetch.await?;
        let value = fresh.value.clone();
        *kept = Some(fresh);
        Ok(value)
    }

    /// Forgets what is kept, because somebody doesn't take it any more.
    pub(crate) async fn forget(&self) {
        *self.0.lock().await = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn is_fetched_anew_before_it_ends() {
        let lease = Lease::default();
        let at = |secs: i64| Timestamp::from_ms(secs * 1000);
        let get = async |now: i64, value: &'static str, until: Option<i64>| {
            let leased = Leased { value, until: until.map(at) };
            lease.get(at(now), async { Ok::<_, &'static str>(leased) }).await
        };
        assert_eq!(get(0, "a", Some(900)).await, Ok("a"));
        assert_eq!(get(839, "b", Some(1800)).await, Ok("a"));
        assert_eq!(get(840, "b", Some(1800)).await, Ok("b"), "a minute before the end");
        let failed = lease.get(at(1790), async { Err("no") }).await;
        assert_eq!(failed, Err("no"), "what has all but ended isn't used");
        lease.forget().await;
        assert_eq!(get(841, "c", None).await, Ok("c"));
        assert_eq!(get(1 << 40, "d", None).await, Ok("c"), "for good");
    }
}

//! A body that has to be there in time.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep};

/// Why a body ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("the answer didn't end within {0:?}")]
    Late(Duration),
    #[error(transparent)]
    Broken(reqwest::Error),
}

/// A body that fails once its time is over.
pub(crate) struct Timed {
    body: reqwest::Body,
    end: Pin<Box<Sleep>>,
    patience: Duration,
}

impl Timed {
    pub(crate) fn new(body: reqwest::Body, deadline: Instant, patience: Duration) -> Self {
        Timed { body, end: Box::pin(tokio::time::sleep_until(deadline)), patience }
    }
}

impl Body for Timed {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.end.as_mut().poll(context).is_ready() {
            return Poll::Ready(Some(Err(BodyError::Late(self.patience))));
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        Poll::Ready(frame.map(|frame| frame.map_err(BodyError::Broken)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

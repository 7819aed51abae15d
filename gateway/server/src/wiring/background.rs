//! Work that goes on beside the serving, for as long as its owner wants.

use std::future::Future;

use tokio::task::JoinHandle;

/// A task that ends when this is dropped.
#[derive(Debug)]
pub struct Background {
    task: JoinHandle<()>,
}

impl Background {
    /// Starts it.
    pub fn spawn(work: impl Future<Output = ()> + Send + 'static) -> Self {
        Self {
            task: tokio::spawn(work),
        }
    }

    /// Ends it, and waits until it has ended.
    pub async fn stop(mut self) {
        self.task.abort();
        // It was aborted: that is no failure.
        let _aborted = (&mut self.task).await;
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.task.abort();
    }
}

//! What pools give out, what comes back, and who waits.

use super::*;

/// 16 buffers of each size, and 4 MiB of heap beside.
fn pool(when_empty: bool) -> Arc<BufferPool> {
    BufferPool::new(0, 0, HeapBuffers::new(4 << 20, when_empty))
}

#[tokio::test]
async fn an_empty_read_pool_is_helped_from_the_heap_up_to_a_bound() {
    let pool = pool(true);
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(pool.take(&[BUFFER_BYTES; 4]).await);
    }
    assert!(
        held.iter()
            .flatten()
            .all(|buffer| buffer.registered_index() == Some(0))
    );
    for _ in 0..16 {
        held.push(pool.take(&[BUFFER_BYTES; 4]).await);
    }
    let beside = held[4..].iter().flatten();
    assert!(
        beside
            .clone()
            .all(|buffer| buffer.registered_index().is_none())
    );
    assert!(
        beside
            .clone()
            .all(|buffer| (buffer.as_ptr() as usize).is_multiple_of(BLOCK_BYTES))
    );
    for (back, served_from) in [(19, None), (0, Some(0))] {
        let waiting = tokio::spawn({
            let pool = Arc::clone(&pool);
            async move { pool.take(&[BUFFER_BYTES; 4]).await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished(), "pool and heap are at their bound");
        drop(std::mem::take(&mut held[back]));
        held[back] = waiting.await.unwrap();
        assert_eq!(held[back][0].registered_index(), served_from);
    }
    drop(held);
    assert_eq!(pool.heap.blocks.available_permits(), 1024);
    assert_eq!(pool.large.permits.available_permits(), 16);
}

#[tokio::test]
async fn a_request_beyond_the_heaps_bound_waits_until_it_is_alone() {
    let pool = pool(false);
    let one = pool.take(&[BUFFER_BYTES; 20]).await;
    let waiting = tokio::spawn({
        let pool = Arc::clone(&pool);
        async move { pool.take(&[BUFFER_BYTES; 100]).await.len() }
    });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    drop(one);
    assert_eq!(waiting.await.unwrap(), 100);
}

#[tokio::test]
async fn buffers_come_back_and_a_full_pool_waits() {
    let pool = pool(false);
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(pool.take(&[BUFFER_BYTES; 4]).await);
    }
    let waiting = tokio::spawn({
        let pool = Arc::clone(&pool);
        async move { pool.take_one(BUFFER_BYTES).await.len() }
    });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    let shared: Vec<Bytes> = held
        .pop()
        .unwrap()
        .into_iter()
        .map(Buffer::into_bytes)
        .collect();
    tokio::task::yield_now().await;
    assert!(
        !waiting.is_finished(),
        "shared bytes still hold their buffers"
    );
    drop(shared);
    assert_eq!(waiting.await.unwrap(), BUFFER_BYTES);
}

#[tokio::test]
async fn buffers_are_aligned_and_do_not_overlap() {
    let pool = pool(false);
    let mut buffers = pool.take(&[1, 4096, 8192, 8193]).await;
    for (mark, buffer) in buffers.iter_mut().enumerate() {
        assert_eq!(buffer.as_ptr() as usize % BLOCK_BYTES, 0);
        buffer.as_mut().fill(mark as u8 + 1);
    }
    for (mark, buffer) in buffers.iter().enumerate() {
        assert!(buffer.as_ref().iter().all(|&byte| byte == mark as u8 + 1));
    }
}

#[tokio::test]
async fn a_request_beyond_the_pool_is_served_from_the_heap() {
    let pool = pool(false);
    let buffers = pool.take(&[BUFFER_BYTES; 100]).await;
    assert_eq!(buffers.len(), 100);
    assert_eq!(pool.large.permits.available_permits(), 16);
}

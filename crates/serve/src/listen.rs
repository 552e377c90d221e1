//! The connections of a server.

use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};

/// Longest header of a request, in bytes.
const HEADER_BYTES: usize = 65_536;

/// Time after which the next connection is accepted when the system refuses one, as it does without free
/// file descriptors.
const PAUSE: Duration = Duration::from_millis(50);

/// Accepts connections until `stop` is done; then no new ones, and requests in progress are finished within
/// `limit`. Connections without a request are closed after `idle`.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    idle: Duration,
    limit: Duration,
    stop: impl Future<Output = ()>,
) {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(idle)
        .max_buf_size(HEADER_BYTES);
    let graceful = GracefulShutdown::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        let Ok((stream, _)) = accepted else {
            sleep(PAUSE).await;
            continue;
        };
        // An answer is sent at once instead of waiting until a packet is full.
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(router.clone());
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            // A client that goes away is no event.
            let _ = connection.await;
        });
    }
    drop(listener);
    let _ = timeout(limit, graceful.shutdown()).await;
}

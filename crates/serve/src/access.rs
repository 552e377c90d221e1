//! Who may ask, and how many at a time.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use tokio::sync::OwnedSemaphorePermit;

use crate::problem::Problem;
use crate::server::Shared;

/// Counts a request as in progress until its last copy is dropped.
#[derive(Clone)]
pub(crate) struct InProgress(
    #[expect(dead_code, reason = "held until it is dropped")] Arc<OwnedSemaphorePermit>,
);

/// Refuses requests when as many as allowed are in progress.
pub(crate) async fn limit(
    State(shared): State<Arc<Shared>>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let permit = shared.in_progress.clone().try_acquire_owned();
    let permit = permit.map_err(|_| Problem::busy())?;
    let in_progress = InProgress(Arc::new(permit));
    request.extensions_mut().insert(in_progress);
    Ok(next.run(request).await)
}

/// Refuses requests without the token, if there is one.
pub(crate) async fn check_token(
    State(shared): State<Arc<Shared>>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let Some(token) = &shared.token else {
        return Ok(next.run(request).await);
    };
    let given = request.headers().get(header::AUTHORIZATION);
    let given = given.and_then(|value| value.to_str().ok()?.split_once(' '));
    let given = given.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let given = given.map(|(_, token)| token);
    if given.is_some_and(|given| is_equal(given.trim().as_bytes(), token.as_bytes())) {
        return Ok(next.run(request).await);
    }
    let detail = match given {
        Some(_) => "the token is wrong",
        None => "this server needs a token: send the header `Authorization: Bearer TOKEN`",
    };
    Err(Problem::new(StatusCode::UNAUTHORIZED, detail))
}

/// Compares in a time that does not depend on where the bytes differ.
fn is_equal(given: &[u8], token: &[u8]) -> bool {
    let differences = given.iter().zip(token).fold(0, |sum, (a, b)| sum | (a ^ b));
    given.len() == token.len() && differences == 0
}

#[cfg(test)]
mod tests {
    use super::is_equal;

    #[test]
    fn only_the_whole_token_is_equal() {
        assert!(is_equal(b"secret", b"secret"));
        for other in [&b"secre"[..], b"secrets", b"Secret", b""] {
            assert!(!is_equal(other, b"secret"));
        }
    }
}

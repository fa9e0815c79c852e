//! A request that is read, and to which nothing is ever said.

use super::respond::take_in;
use crate::proxy::mark::Mark;
use crate::proxy::upload::Upload;

/// Takes in the request and says nothing until the client leaves. A client that asks whether to send its body
/// (RFC 9110 §10.1.1) hears nothing either.
pub(in crate::proxy) async fn swallow<T>(body: Upload, asks_first: bool, mut mark: Mark) -> T {
    if !asks_first {
        take_in(body).await;
    }
    mark.fire();
    std::future::pending().await
}

//! Answers that break HTTP, or that two readers could understand in two ways.

use thumbforge::domain::FailureCode;

use crate::client::fetch;
use crate::origin::Origin;

async fn code_of(answer: &[u8]) -> FailureCode {
    let origin = Origin::closing_after(answer).await;
    let text = String::from_utf8_lossy(answer).into_owned();
    match fetch(&origin.url("/")).await {
        Ok(download) => panic!("{text:?} was read as {download:?}"),
        Err(failure) => failure.code,
    }
}

#[tokio::test]
async fn ambiguous_or_broken_answers_are_invalid() {
    for answer in [
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\n folded: x\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\nabc",
        "HTTP/1.1 OK\r\n\r\nabc",
        "HTTP/2 200 OK\r\n\r\nabc",
        "HTTP/1.1 101 x\r\nUpgrade: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
        "SSH-2.0-OpenSSH_9.6\r\n",
        "<html>an answer of HTTP/0.9</html>",
        "220 mail.example ESMTP\r\n",
    ] {
        assert_eq!(
            code_of(answer.as_bytes()).await,
            FailureCode::InvalidResponse,
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn broken_chunks_are_invalid() {
    for body in [
        "g\r\nabc\r\n0\r\n\r\n",
        "\r\n",
        "-3\r\nabc\r\n0\r\n\r\n",
        "0x3\r\nabc\r\n0\r\n\r\n",
        " 3\r\nabc\r\n0\r\n\r\n",
        "3\nabc\r\n0\r\n\r\n",
        "3\r\nabcd\r\n0\r\n\r\n",
        "3\r\nabc\n0\r\n\r\n",
        "3\r\nabcde0\r\n\r\n",
        "fffffffffffffffff\r\nabc\r\n0\r\n\r\n",
    ] {
        let answer = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
        assert_eq!(
            code_of(answer.as_bytes()).await,
            FailureCode::InvalidResponse,
            "{body:?}"
        );
    }
}

#[tokio::test]
async fn an_answer_that_ends_early_is_a_failed_connection_wherever_it_is_cut() {
    for whole in [
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n0\r\nA: b\r\n\r\n",
    ] {
        for cut in 0..whole.len() {
            let code = code_of(&whole.as_bytes()[..cut]).await;
            assert_eq!(code, FailureCode::ConnectionFailed, "{:?}", &whole[..cut]);
        }
    }
}

#[tokio::test]
async fn a_reset_is_a_failed_connection() {
    let origin = Origin::on([127, 0, 0, 1], |mut visitor| async move {
        visitor.request().await;
        visitor
            .send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab")
            .await;
        // Closing with a linger of zero resets the connection.
        visitor.stream.set_zero_linger().unwrap();
    })
    .await;
    let failure = fetch(&origin.url("/")).await.unwrap_err();
    assert_eq!(failure.code, FailureCode::ConnectionFailed);
}

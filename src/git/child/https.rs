//! https by libcurl. One operation a process, so the handle's settings are that remote's.

use curl::easy::{Auth, Easy};
use secrecy::ExposeSecret;

use super::{LONGEST_SILENCE, Request};
use crate::git::{Reason, globals};

/// Configures a handle and makes it the transport.
pub(super) fn register(request: &Request) -> Result<(), curl::Error> {
    let mut handle = Easy::new();
    globals::only_https(&handle)?;
    // `git2-curl` turns redirects on for each request; with none allowed, any is an error, and
    // no second request is made.
    handle.max_redirections(0)?;
    bound(&mut handle, request)?;
    authenticate(&mut handle, request)?;
    globals::register_https(handle);
    Ok(())
}

/// Bounds the time, also of silence, and the bytes of each answer.
fn bound(handle: &mut Easy, request: &Request) -> Result<(), curl::Error> {
    handle.connect_timeout(request.timeout.min(LONGEST_SILENCE))?;
    handle.timeout(request.timeout)?;
    handle.low_speed_limit(1)?;
    handle.low_speed_time(LONGEST_SILENCE)?;
    let most = request.limits.pack_bytes as f64;
    handle.progress(true)?;
    handle.progress_function(move |total, now, _, _| total.max(now) <= most)
}

/// Puts the credentials on the handle, from where they go to the host of its URL only.
fn authenticate(handle: &mut Easy, request: &Request) -> Result<(), curl::Error> {
    let credentials = &request.credentials;
    if let Some(ca) = &credentials.ca {
        handle.ssl_cainfo_blob(ca.as_bytes())?;
    }
    if let (Some(certificate), Some(key)) = (&credentials.certificate, &credentials.key) {
        handle.ssl_cert_type("PEM")?;
        handle.ssl_cert_blob(certificate.as_bytes())?;
        handle.ssl_key_type("PEM")?;
        handle.ssl_key_blob(key.expose_secret().as_bytes())?;
    }
    if let Some(token) = &credentials.bearer_token {
        globals::bearer(handle, token.expose_secret())?;
    } else if let (Some(username), Some(password)) = (&credentials.username, &credentials.password)
    {
        handle.http_auth(Auth::new().basic(true))?;
        handle.username(username)?;
        handle.password(password.expose_secret())?;
    }
    Ok(())
}

/// Classifies the text of a failed request; the codes are libcurl's and HTTP's.
pub(super) fn reason(text: &str) -> Reason {
    let curl = text.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    if let Some(code) = curl.and_then(|(code, _)| code.parse::<u32>().ok()) {
        return match code {
            28 => Reason::TimedOut,
            35 | 53 | 54 | 58 | 59 | 60 | 66 | 77 | 82 | 83 | 90 | 91 | 98 => Reason::Certificate,
            42 | 63 => Reason::Limits,
            27 => Reason::Limits,
            47 => Reason::Redirected,
            67 => Reason::AuthenticationFailed,
            _ => Reason::FetchFailed,
        };
    }
    match text
        .rsplit_once("got ")
        .and_then(|(_, status)| status.parse::<u32>().ok())
    {
        Some(401 | 403) => Reason::AuthenticationFailed,
        Some(404 | 410) => Reason::RepositoryMissing,
        _ if text.contains("timed out") => Reason::TimedOut,
        _ => Reason::FetchFailed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_libcurl_and_the_server_say_is_classified() {
        for (text, expected) in [
            (
                "[28] Timeout was reached (Operation timed out)",
                Reason::TimedOut,
            ),
            (
                "[60] SSL peer certificate or SSH remote key was not OK",
                Reason::Certificate,
            ),
            (
                "[42] Operation was aborted by an application callback",
                Reason::Limits,
            ),
            (
                "[47] Number of redirects hit maximum amount",
                Reason::Redirected,
            ),
            ("[7] Couldn't connect to server", Reason::FetchFailed),
            (
                "failed to receive HTTP 200 response: got 401",
                Reason::AuthenticationFailed,
            ),
            (
                "failed to receive HTTP 200 response: got 404",
                Reason::RepositoryMissing,
            ),
            (
                "failed to receive HTTP 200 response: got 503",
                Reason::FetchFailed,
            ),
            (
                "expected a Content-Type header with `x` but found `y`",
                Reason::FetchFailed,
            ),
        ] {
            assert_eq!(reason(text), expected, "{text}");
        }
    }
}

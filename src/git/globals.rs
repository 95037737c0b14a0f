//! The only `unsafe` code: libgit2's process-wide settings, and two things that `curl` and
//! `git2-curl` offer in no safe way.
//!
//! Never: a decision; values come from the callers.

#![allow(unsafe_code, reason = "the one audited module; see each SAFETY note")]

use std::{
    ffi::{CString, NulError, c_long, c_ulong},
    time::Duration,
};

use curl::easy::Easy;
use git2::{ConfigLevel, opts};

const MIB: usize = 1 << 20;
/// `CURLOPT_XOAUTH2_BEARER` (curl.h; not declared by `curl-sys` 0.4).
const CURLOPT_XOAUTH2_BEARER: curl_sys::CURLoption = curl_sys::CURLOPTTYPE_OBJECTPOINT + 220;
/// `CURLAUTH_BEARER` (curl.h; not declared by `curl-sys` 0.4).
const CURLAUTH_BEARER: c_ulong = 1 << 6;
/// `CURLPROTO_HTTPS` (curl.h).
const CURLPROTO_HTTPS: c_long = 1 << 1;

/// Makes libgit2 small (its own defaults allow 256 MiB of cache and 8 GiB of mapped packs), strict
/// about what it reads and writes, and deaf to the Git configuration of the machine and its users,
/// which could redirect URLs. To be called once, before any thread is started.
///
/// # Errors
/// What libgit2 says; it knows all these settings, so it does not happen.
pub fn prepare() -> Result<(), git2::Error> {
    opts::strict_hash_verification(true);
    opts::strict_object_creation(true);
    let levels = [
        ConfigLevel::ProgramData,
        ConfigLevel::System,
        ConfigLevel::XDG,
        ConfigLevel::Global,
    ];
    // SAFETY: these write C globals without a lock. `main` calls this before it starts a thread,
    // so nothing reads them meanwhile.
    unsafe {
        opts::set_cache_max_size(16 * MIB as isize)?;
        opts::set_mwindow_size(16 * MIB)?;
        opts::set_mwindow_mapped_limit(128 * MIB)?;
        opts::set_mwindow_file_limit(64)?;
        for level in levels {
            opts::set_search_path(level, "")?;
        }
    }
    Ok(())
}

/// Bounds how long libgit2 waits for a connection and for each answer (SSH; without this, for
/// ever). To be called like [`prepare`].
pub(super) fn bound_waiting(longest: Duration) -> Result<(), git2::Error> {
    let milliseconds = i32::try_from(longest.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: as in `prepare`; the child has one thread when it calls this.
    unsafe {
        opts::set_server_connect_timeout_in_milliseconds(milliseconds)?;
        opts::set_server_timeout_in_milliseconds(milliseconds)
    }
}

/// Makes a handle the transport of all https (and http) URLs of this process.
pub(super) fn register_https(handle: Easy) {
    // SAFETY: no transport is created meanwhile; the child has one thread when it calls this.
    unsafe { git2_curl::register(handle) }
}

/// Restricts a handle to https.
pub(super) fn only_https(handle: &Easy) -> Result<(), curl::Error> {
    const NONE: c_long = 0;
    for (option, protocols) in [
        (curl_sys::CURLOPT_REDIR_PROTOCOLS, NONE),
        (curl_sys::CURLOPT_PROTOCOLS, CURLPROTO_HTTPS),
    ] {
        // SAFETY: the handle is alive, and both options take a C long.
        checked(unsafe { curl_sys::curl_easy_setopt(handle.raw(), option, protocols) })?;
    }
    Ok(())
}

/// Makes a handle send `Authorization: Bearer <token>` to the host of its URL.
pub(super) fn bearer(handle: &Easy, token: &str) -> Result<(), curl::Error> {
    let token = CString::new(token)
        .map_err(|_: NulError| curl::Error::new(curl_sys::CURLE_BAD_FUNCTION_ARGUMENT))?;
    // SAFETY: the handle is alive, and the mask is a C long.
    checked(unsafe {
        curl_sys::curl_easy_setopt(handle.raw(), curl_sys::CURLOPT_HTTPAUTH, CURLAUTH_BEARER)
    })?;
    // SAFETY: the handle is alive; libcurl copies the string.
    checked(unsafe {
        curl_sys::curl_easy_setopt(handle.raw(), CURLOPT_XOAUTH2_BEARER, token.as_ptr())
    })
}

fn checked(code: curl_sys::CURLcode) -> Result<(), curl::Error> {
    if code == curl_sys::CURLE_OK {
        Ok(())
    } else {
        Err(curl::Error::new(code))
    }
}

//! Where the manifests come from.

use std::time::Duration;

use serde_json::{Value, json};
use url::Url;

use super::{
    fault::Cause,
    fields::Fields,
    value::{branch, choice, duration, name, path, text},
    word::{Render, Rewrites, word},
};
use crate::object::write_duration;

/// One branch of a repository, and the paths in it that matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// `https`, `ssh` with a user, or `file` with an absolute path; no credentials in it.
    pub url: Url,
    /// Short name of the branch. Default `main`.
    pub branch: String,
    /// Where the manifests are, normalised; empty for the root, which is the default.
    pub path: String,
    /// Paths, normalised, whose changes count as changes of `path`.
    pub extra_paths: Vec<String>,
    /// Name of the Secret, or of the directory of secrets, with the credentials. `None`:
    /// anonymous.
    pub secret: Option<String>,
    /// Time between two polls. Default 1 min, at least 5 s.
    pub interval: Duration,
    /// What one fetch may take. Default 1 min, at least 1 s.
    pub timeout: Duration,
    /// What a rewritten history means. Default [`Rewrites::Refuse`].
    pub rewrites: Rewrites,
    /// How the files become manifests. Default [`Render::Auto`].
    pub render: Render,
}

const MINUTE: Duration = Duration::from_secs(60);

impl Source {
    /// Reads `spec.source`; `None` where it has no usable URL, which is a fault.
    pub(super) fn read(mut fields: Fields<'_>) -> Option<Self> {
        fields.not_yet("verify", &json!({"mode": "None"}));
        let url = fields.required("url", url);
        let branch = read_ref(fields.inner("ref"));
        let path_read = fields.optional("path", path).unwrap_or_default();
        let extra_paths = fields.list("extraPaths", path);
        let secret = fields.present("secretRef").and_then(read_secret_ref);
        let interval = fields
            .optional("interval", |value| duration(value, 5))
            .unwrap_or(MINUTE);
        let timeout = fields
            .optional("timeout", |value| duration(value, 1))
            .unwrap_or(MINUTE);
        let rewrites = fields
            .optional("rewrites", |value| {
                choice(value, &[Rewrites::Refuse, Rewrites::Adopt])
            })
            .unwrap_or(Rewrites::Refuse);
        let render = fields.optional("render", render).unwrap_or(Render::Auto);
        fields.close();
        Some(Self {
            url: url?,
            branch,
            path: path_read,
            extra_paths,
            secret,
            interval,
            timeout,
            rewrites,
            render,
        })
    }

    /// Returns `spec.source` as a document has it.
    pub(super) fn document(&self) -> Value {
        let mut document = json!({
            "url": self.url,
            "ref": {"branch": self.branch},
            "path": if self.path.is_empty() { "." } else { &self.path },
            "extraPaths": self.extra_paths,
            "interval": write_duration(self.interval),
            "timeout": write_duration(self.timeout),
            "rewrites": word(self.rewrites),
            "render": word(self.render),
        });
        if let Some(secret) = &self.secret {
            document["secretRef"] = json!({"name": secret});
        }
        document
    }
}

fn read_ref(mut fields: Fields<'_>) -> String {
    for field in ["tag", "semver", "commit"] {
        fields.not_yet(field, &Value::Null);
    }
    let name = fields
        .optional("branch", branch)
        .unwrap_or_else(|| "main".to_owned());
    fields.close();
    name
}

fn read_secret_ref(mut fields: Fields<'_>) -> Option<String> {
    let secret = fields.required("name", name);
    fields.close();
    secret
}

fn render(value: &Value) -> Result<Render, Cause> {
    match value.as_str() {
        Some(later @ ("Kustomize" | "Helm")) => {
            Err(format!("`{later}` is not supported yet; write Auto or Plain").into())
        }
        _ => choice(value, &[Render::Auto, Render::Plain]),
    }
}

/// Reads a URL. Its faults never repeat it: what is wrong with it may be a password.
fn url(value: &Value) -> Result<Url, Cause> {
    let text = text(value)?;
    if !text.contains("://") {
        return Err("must begin with https://, ssh:// or file:///; \
                    git@host:path is written ssh://git@host/path"
            .into());
    }
    if text.contains([' ', '\\']) {
        return Err("has a space or a backslash in it".into());
    }
    let url = Url::parse(&text).map_err(|fault| Cause::from(format!("is no URL: {fault}")))?;
    let has_user = !url.username().is_empty();
    let cause = if url.password().is_some() || (has_user && url.scheme() != "ssh") {
        "has credentials in it; put them into the secret that `secretRef` names"
    } else if url.query().is_some() || url.fragment().is_some() {
        "has a query or fragment; end it after the path"
    } else if url.path().trim_matches('/').is_empty() {
        "has no path to a repository"
    } else {
        match url.scheme() {
            "ssh" if !has_user => "has no user; write ssh://git@host/path",
            "file" if url.has_host() => "names a host; write file:/// and an absolute path",
            "https" | "ssh" | "file" => return Ok(url),
            _ => "has another scheme than https, ssh or file",
        }
    };
    Err(cause.into())
}

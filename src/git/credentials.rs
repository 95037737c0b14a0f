//! The files of a Secret, with the key names that Flux uses.

use std::{fs, io::Read, path::Path};

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};

use super::{GitFault, remote::Transport};

/// The largest file of a credential directory, in bytes.
const LARGEST: u64 = 256 * 1024;

/// What a directory of credentials holds.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Credentials {
    pub(super) username: Option<String>,
    #[serde(serialize_with = "expose")]
    pub(super) password: Option<SecretString>,
    #[serde(serialize_with = "expose")]
    pub(super) bearer_token: Option<SecretString>,
    #[serde(serialize_with = "expose")]
    pub(super) identity: Option<SecretString>,
    pub(super) known_hosts: Option<String>,
    pub(super) ca: Option<String>,
    pub(super) certificate: Option<String>,
    #[serde(serialize_with = "expose")]
    pub(super) key: Option<SecretString>,
}

/// Writes a secret in clear, for the pipe to the child only.
fn expose<S: Serializer>(secret: &Option<SecretString>, to: S) -> Result<S::Ok, S::Error> {
    secret
        .as_ref()
        .map(ExposeSecret::expose_secret)
        .serialize(to)
}

impl Credentials {
    /// Reads a directory, or stands for anonymous where there is none, and checks that it has
    /// what the transport needs.
    ///
    /// # Errors
    /// [`GitFault::Credentials`].
    pub(super) fn read(directory: Option<&Path>, transport: Transport) -> Result<Self, GitFault> {
        let Some(directory) = directory else {
            return match transport {
                Transport::Https | Transport::File => Ok(Self::default()),
                Transport::Ssh => Err(GitFault::Refused(
                    "a repository over SSH needs `secretRef` with `identity` and `known_hosts`"
                        .to_owned(),
                )),
            };
        };
        let read = || -> Result<Self, String> {
            if !directory.is_dir() {
                return Err("the directory does not exist".to_owned());
            }
            let credentials = Self::read_files(directory)?;
            credentials.check(transport)?;
            Ok(credentials)
        };
        read().map_err(|why| GitFault::Credentials {
            directory: directory.to_owned(),
            why,
        })
    }

    fn read_files(directory: &Path) -> Result<Self, String> {
        let text = |key: &str| text_of(directory, key);
        let word = |key: &str| Ok::<_, String>(text(key)?.map(|text| text.trim().to_owned()));
        let secret = |key: &str| Ok::<_, String>(word(key)?.map(SecretString::from));
        Ok(Self {
            username: word("username")?,
            password: secret("password")?,
            bearer_token: secret("bearerToken")?,
            identity: text("identity")?.map(SecretString::from),
            known_hosts: text("known_hosts")?,
            ca: text("ca.crt")?,
            certificate: text("tls.crt")?,
            key: text("tls.key")?.map(SecretString::from),
        })
    }

    fn check(&self, transport: Transport) -> Result<(), String> {
        let needs = match transport {
            Transport::File => None,
            Transport::Ssh if self.identity.is_none() => Some("SSH needs `identity`"),
            Transport::Ssh if self.known_hosts.is_none() => Some("SSH needs `known_hosts`"),
            Transport::Ssh => None,
            Transport::Https if self.certificate.is_some() != self.key.is_some() => {
                Some("`tls.crt` and `tls.key` need each other")
            }
            Transport::Https if self.bearer_token.is_some() => None,
            Transport::Https if self.username.is_some() != self.password.is_some() => {
                Some("`username` and `password` need each other")
            }
            Transport::Https => None,
        };
        needs.map_or(Ok(()), |needs| Err(needs.to_owned()))
    }

    /// Returns the text, made fit for one line of a message, without any of these secrets.
    pub(super) fn censor(&self, text: &str) -> String {
        let secrets = [
            &self.password,
            &self.bearer_token,
            &self.identity,
            &self.key,
        ];
        let mut text = text.to_owned();
        for secret in secrets
            .into_iter()
            .flatten()
            .map(ExposeSecret::expose_secret)
        {
            text = text.replace(secret, "***");
        }
        let printable = |c: char| if c.is_control() { ' ' } else { c };
        text.trim().chars().map(printable).take(400).collect()
    }
}

/// Reads one key; `None` where the file does not exist.
fn text_of(directory: &Path, key: &str) -> Result<Option<String>, String> {
    let file = match fs::File::open(directory.join(key)) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("`{key}` cannot be read: {error}")),
    };
    let mut text = String::new();
    file.take(LARGEST + 1)
        .read_to_string(&mut text)
        .map_err(|error| format!("`{key}` cannot be read: {error}"))?;
    if text.len() as u64 > LARGEST {
        return Err(format!("`{key}` is larger than {LARGEST} bytes"));
    }
    if text.trim().is_empty() {
        return Err(format!("`{key}` is empty"));
    }
    Ok(Some(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(directory.path().join(name), text).unwrap();
        }
        directory
    }

    fn fault(files: &[(&str, &str)], transport: Transport) -> String {
        let directory = directory(files);
        Credentials::read(Some(directory.path()), transport)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn a_newline_at_the_end_is_no_part_of_a_password() {
        let directory = directory(&[("username", "u\n"), ("password", "hunter2\n")]);
        let read = Credentials::read(Some(directory.path()), Transport::Https).unwrap();
        assert_eq!(read.username.as_deref(), Some("u"));
        assert_eq!(read.password.unwrap().expose_secret(), "hunter2");
    }

    #[test]
    fn what_is_missing_is_named() {
        let https = Transport::Https;
        assert!(fault(&[("username", "u")], https).contains("`username` and `password`"));
        assert!(fault(&[("tls.crt", "c")], https).contains("`tls.key`"));
        assert!(fault(&[("password", " ")], https).contains("`password` is empty"));
        assert!(fault(&[("known_hosts", "h k v")], Transport::Ssh).contains("`identity`"));
        assert!(fault(&[("identity", "k")], Transport::Ssh).contains("`known_hosts`"));
        assert!(Credentials::read(None, Transport::Ssh).is_err());
        let nowhere = Credentials::read(Some(Path::new("/nowhere")), https).unwrap_err();
        assert!(nowhere.to_string().contains("does not exist"));
    }

    #[test]
    fn secrets_show_neither_in_debug_nor_in_messages() {
        let directory = directory(&[("username", "u"), ("password", "hunter2")]);
        let read = Credentials::read(Some(directory.path()), Transport::Https).unwrap();
        assert!(!format!("{read:?}").contains("hunter2"));
        assert_eq!(
            read.censor("server said\n\x1bhunter2 is bad"),
            "server said  *** is bad"
        );
    }

    #[test]
    fn the_pipe_carries_them_whole() {
        let directory = directory(&[("bearerToken", "t0ken"), ("ca.crt", "pem")]);
        let read = Credentials::read(Some(directory.path()), Transport::Https).unwrap();
        let piped: Credentials =
            serde_json::from_str(&serde_json::to_string(&read).unwrap()).unwrap();
        assert_eq!(piped.bearer_token.unwrap().expose_secret(), "t0ken");
        assert_eq!(piped.ca.as_deref(), Some("pem"));
    }
}

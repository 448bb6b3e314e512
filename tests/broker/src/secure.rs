//! A listener with TLS and passwords, beside the plain one that brokers and tests use among themselves.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::Error;
use crate::java;

/// Of the key store, which nobody but the broker reads.
const STORE_PASSWORD: &str = "millrace";

/// Where and how clients reach the secure listener: `security.protocol=SASL_SSL`, `sasl.mechanism=SCRAM-SHA-512`.
#[derive(Clone, Debug)]
pub struct Secure {
    /// What a client calls `bootstrap.servers`.
    pub bootstrap: String,
    /// The certificate that the broker shows, signed by itself: `ssl.ca.location`.
    pub certificate: PathBuf,
    /// The only user.
    pub user: &'static str,
    /// The user's password.
    pub password: &'static str,
}

impl Secure {
    pub(crate) fn new(port: u16, folder: &Path) -> Self {
        let (bootstrap, certificate) = (format!("127.0.0.1:{port}"), folder.join("certificate.pem"));
        Self { bootstrap, certificate, user: "alice", password: "wonderland" }
    }

    fn store(&self) -> PathBuf {
        self.certificate.with_file_name("keys.p12")
    }

    /// Makes the key and the certificate.
    pub(crate) fn make_certificate(&self) -> Result<(), Error> {
        let (store, certificate) = (self.store(), &self.certificate);
        let (store, certificate) = (store.to_string_lossy(), certificate.to_string_lossy());
        let of_store = ["-alias", "broker", "-keystore", &store, "-storetype", "PKCS12", "-storepass", STORE_PASSWORD];
        let key = ["-genkeypair", "-keyalg", "EC", "-groupname", "secp256r1", "-validity", "2", "-dname", "CN=broker"];
        keytool(&[&key[..], &["-ext", "san=ip:127.0.0.1"], &of_store].concat())?;
        keytool(&[&["-exportcert", "-rfc", "-file", &certificate], &of_store[..]].concat())
    }

    /// What the broker is told; `plain` and `controller` are the ports of its other listeners.
    pub(crate) fn settings(&self, plain: u16, controller: u16) -> Vec<(String, String)> {
        let (secure, store) = (&self.bootstrap, self.store());
        let plain = format!("PLAINTEXT://127.0.0.1:{plain}");
        let settings = [
            ("listeners", format!("{plain},CONTROLLER://127.0.0.1:{controller},SECURE://{secure}")),
            ("advertised.listeners", format!("{plain},SECURE://{secure}")),
            ("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL".to_owned()),
            ("listener.name.secure.sasl.enabled.mechanisms", "SCRAM-SHA-512".to_owned()),
            (
                "listener.name.secure.scram-sha-512.sasl.jaas.config",
                "org.apache.kafka.common.security.scram.ScramLoginModule required;".to_owned(),
            ),
            ("listener.name.secure.ssl.keystore.type", "PKCS12".to_owned()),
            ("listener.name.secure.ssl.keystore.location", store.display().to_string()),
            ("listener.name.secure.ssl.keystore.password", STORE_PASSWORD.to_owned()),
        ];
        settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// What the data are formatted with: the user.
    pub(crate) fn format_arguments(&self) -> Vec<String> {
        let user = format!("SCRAM-SHA-512=[name={},password={}]", self.user, self.password);
        vec!["--add-scram".into(), user]
    }
}

fn keytool(arguments: &[&str]) -> Result<(), Error> {
    let output = Command::new(java::keytool()?).args(arguments).output().map_err(Error::io("keytool"))?;
    if output.status.success() {
        return Ok(());
    }
    let log = String::from_utf8_lossy(&output.stdout).into_owned();
    Err(Error::Ended { what: "keytool".into(), status: output.status.to_string(), log })
}

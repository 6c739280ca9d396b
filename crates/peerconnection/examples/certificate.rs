//! A certificate that is kept: a program that starts again shows its peers the fingerprint that they know.

use anyhow::{Context as _, Result, ensure};
use oxirtc_peerconnection::{
    Certificate, Configuration, DataChannelInit, KeyAlgorithm, PeerConnection,
};

#[tokio::main]
async fn main() -> Result<()> {
    let certificate = Certificate::generate(KeyAlgorithm::EcdsaP256).await?;
    // It holds the private key: a real program keeps it where nobody else can read it.
    let kept = certificate.to_pem()?;
    drop(certificate);

    // The next start.
    let certificate = Certificate::from_pem(&kept)?;
    let fingerprint = certificate.fingerprints();
    let fingerprint = &fingerprint.first().context("no fingerprint")?.value;
    println!("{fingerprint}, valid until {:?}", certificate.expires());

    for visit in 1..=2 {
        let configuration = Configuration {
            certificates: vec![certificate.clone()],
            ..Configuration::default()
        };
        let server = PeerConnection::new(configuration)?;
        let visitor = PeerConnection::new(Configuration::default())?;
        let channel = visitor.create_data_channel("chat", DataChannelInit::default())?;
        visitor.set_local_description(None).await?;
        server
            .set_remote_description(visitor.gathered().await?)
            .await?;
        server.set_local_description(None).await?;
        let answer = server.gathered().await?;
        ensure!(
            answer
                .sdp
                .to_ascii_lowercase()
                .contains(fingerprint.as_str()),
            "another fingerprint"
        );
        visitor.set_remote_description(answer).await?;
        channel.opened().await?;
        println!("visit {visit}: the visitor has seen the same certificate");
        visitor.shutdown().await;
    }
    Ok(())
}

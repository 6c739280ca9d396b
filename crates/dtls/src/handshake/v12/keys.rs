use crate::{
    AlertDescription, Role, Version,
    crypto::{
        aead::RecordKeys,
        prf::{self, MasterSecret},
    },
    handshake::{
        proof,
        session::Negotiated,
        work::{Fault, Look, Refusal, Work},
    },
    keylog,
    message::{Finished, Message},
};

impl Work<'_> {
    /// The master secret, from everything said up to the ClientKeyExchange, and the keys of epoch 1.
    pub(super) fn derive_keys(
        &mut self,
        negotiated: &Negotiated,
        premaster: &[u8],
        role: Role,
    ) -> Result<MasterSecret, Fault> {
        let Negotiated {
            suite,
            client_random,
            server_random,
            ..
        } = negotiated;
        self.transcript.begin_hash(*suite);
        let master = match negotiated.extended_master_secret {
            true => {
                let session_hash = self.transcript.hash(*suite);
                prf::extended_master_secret(*suite, premaster, &session_hash)
            }
            false => prf::master_secret(*suite, premaster, client_random, server_random),
        };
        let keys = RecordKeys::derive(*suite, &master, client_random, server_random);
        let keys = keys.ok_or(Fault::new(AlertDescription::INTERNAL_ERROR))?;
        self.log_shared_secret(client_random, premaster);
        self.log_key(keylog::CLIENT_RANDOM, client_random, master.as_ref());
        let (write, read) = match role {
            Role::Client => (keys.client, keys.server),
            Role::Server => (keys.server, keys.client),
        };
        self.records.set_version(Version::Dtls12);
        self.records.install_write(1, write);
        self.records.install_read(1, read);
        Ok(master)
    }

    /// The first message under the new keys.
    pub(super) fn say_finished_1_2(
        &mut self,
        negotiated: &Negotiated,
        master: &MasterSecret,
        label: &[u8],
    ) {
        let hash = self.transcript.hash(negotiated.suite);
        let verify_data = prf::verify_data(negotiated.suite, master, label, &hash);
        let verify_data = &verify_data;
        self.say(1, &Message::Finished(Finished { verify_data }));
    }
}

/// RFC 5246 §7.4.9: the peer has the master secret and saw the same handshake.
pub(super) fn check_finished(
    look: &Look<'_>,
    negotiated: &Negotiated,
    master: &MasterSecret,
    label: &[u8],
    finished: &Finished<'_>,
) -> Result<proof::Finished, Refusal> {
    let hash = look.transcript.hash(negotiated.suite);
    let expected = prf::verify_data(negotiated.suite, master, label, &hash);
    let proof = proof::check_finished(&expected, finished.verify_data);
    proof.ok_or(Refusal::doubt(AlertDescription::DECRYPT_ERROR))
}

pub(super) const CLIENT_FINISHED: &[u8] = b"client finished";
pub(super) const SERVER_FINISHED: &[u8] = b"server finished";

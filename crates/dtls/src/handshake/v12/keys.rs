use crate::{
    AlertDescription, Role,
    crypto::{
        aead::RecordKeys,
        prf::{self, MasterSecret},
    },
    handshake::{Fault, Look, Negotiated, Refusal, Work, proof},
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
        let master = match negotiated.extended_master_secret {
            true => {
                let session_hash = self.transcript.hash(*suite);
                prf::extended_master_secret(*suite, premaster, &session_hash)
            }
            false => prf::master_secret(*suite, premaster, client_random, server_random),
        };
        let keys = RecordKeys::derive(*suite, &master, client_random, server_random);
        let keys = keys.ok_or(Fault::new(AlertDescription::INTERNAL_ERROR))?;
        match role {
            Role::Client => self.records.install(keys.client, keys.server),
            Role::Server => self.records.install(keys.server, keys.client),
        }
        Ok(master)
    }

    /// The first message under the new keys.
    pub(super) fn say_finished(
        &mut self,
        negotiated: &Negotiated,
        master: &MasterSecret,
        label: &[u8],
    ) {
        let hash = self.transcript.hash(negotiated.suite);
        let verify_data = prf::verify_data(negotiated.suite, master, label, &hash);
        self.say(1, &Message::Finished(Finished { verify_data }));
    }
}

/// RFC 5246 §7.4.9: the peer has the master secret and saw the same handshake.
pub(super) fn check_finished(
    look: &Look<'_>,
    negotiated: &Negotiated,
    master: &MasterSecret,
    label: &[u8],
    finished: &Finished,
) -> Result<proof::Finished, Refusal> {
    let hash = look.transcript.hash(negotiated.suite);
    let expected = prf::verify_data(negotiated.suite, master, label, &hash);
    let proof = proof::check_finished(&expected, &finished.verify_data);
    proof.ok_or(Refusal::end(AlertDescription::DECRYPT_ERROR))
}

pub(super) const CLIENT_FINISHED: &[u8] = b"client finished";
pub(super) const SERVER_FINISHED: &[u8] = b"server finished";

//! Records of both versions, sealed and opened.

use std::time::Duration;

use zeroize::Zeroizing;

use super::*;
use crate::{
    CipherSuite,
    crypto::{aead::RecordKeys, hkdf::Secret},
};

#[expect(
    clippy::disallowed_methods,
    reason = "a base instant for simulated time"
)]
fn base() -> Instant {
    Instant::now()
}

fn pair_1_2(suite: CipherSuite) -> (Records, Records) {
    let derive = || RecordKeys::derive(suite, &Zeroizing::new([7; 48]), &[1; 32], &[2; 32]);
    let (ours, theirs) = (derive().unwrap(), derive().unwrap());
    let (mut client, mut server) = (Records::new(u64::MAX), Records::new(u64::MAX));
    for (end, write, read) in [
        (&mut client, ours.client, ours.server),
        (&mut server, theirs.server, theirs.client),
    ] {
        end.set_version(Version::Dtls12);
        end.install_write(1, write);
        end.install_read(1, read);
    }
    (client, server)
}

fn key(suite: CipherSuite, generation: u8) -> RecordKey {
    let secret = Secret::new(
        &[generation; 48][..if suite == CipherSuite::Aes256Gcm {
            48
        } else {
            32
        }],
    );
    RecordKey::of_traffic_secret(suite, b"dtls13", &secret).unwrap()
}

/// One that writes in these epochs, and one that reads in them.
fn pair_1_3(suite: CipherSuite, epochs: &[u16]) -> (Records, Records) {
    let (mut writer, mut reader) = (Records::new(u64::MAX), Records::new(u64::MAX));
    writer.set_version(Version::Dtls13);
    reader.set_version(Version::Dtls13);
    for epoch in epochs {
        writer.install_write(*epoch, key(suite, *epoch as u8));
        reader.install_read(*epoch, key(suite, *epoch as u8));
    }
    (writer, reader)
}

fn sealed(records: &mut Records, epoch: u16, payload: &[u8]) -> Vec<u8> {
    let mut buf = vec![9, 9];
    records
        .append(epoch, APPLICATION_DATA, &[payload], &mut buf)
        .unwrap();
    buf.split_off(2)
}

/// Epoch, number, content and payload of the record at the front.
type Seen = (u16, u64, u8, Vec<u8>);

fn opened(records: &mut Records, now: Instant, datagram: &[u8]) -> Result<Seen, Refused> {
    let mut datagram = datagram.to_vec();
    let (mut raw, _) = split(&mut datagram).unwrap();
    let opened = records.open(now, &mut raw)?;
    let RecordNumber { epoch, sequence } = opened.number;
    Ok((epoch, sequence, opened.content, opened.payload.to_vec()))
}

fn suites() -> impl Iterator<Item = CipherSuite> {
    CipherSuite::ALL.into_iter()
}

fn pair(suite: CipherSuite) -> (Records, Records, u16) {
    let (writer, reader) = match suite.version() {
        Version::Dtls12 => pair_1_2(suite),
        Version::Dtls13 => pair_1_3(suite, &[2, 3]),
    };
    let epoch = writer.write_epoch();
    (writer, reader, epoch)
}

/// A nonce is made of a record's number, so it is never used twice.
#[test]
fn nonces_of_1_2_are_epoch_and_sequence_number() {
    let (mut client, _) = pair_1_2(CipherSuite::EcdheEcdsaAes128Gcm);
    for sequence in 0..10_000_u64 {
        let buf = sealed(&mut client, 1, b"x");
        let nonce: [u8; 8] = buf[HEADER_LEN..HEADER_LEN + 8].try_into().unwrap();
        assert_eq!(u64::from_be_bytes(nonce), 1 << 48 | sequence);
        assert_eq!(buf[3..11], nonce);
    }
}

#[test]
fn what_is_sealed_is_opened_and_any_flipped_bit_is_noticed() {
    let now = base();
    for suite in suites() {
        let (mut writer, mut reader, epoch) = pair(suite);
        let record = sealed(&mut writer, epoch, b"payload");
        let overhead = writer.overhead(epoch);
        assert_eq!(record.len(), overhead + 7, "{suite}");
        for bit in 0..record.len() * 8 {
            let mut flipped = record.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let Some((mut raw, _)) = split(&mut flipped) else {
                continue;
            };
            let result = reader.open(now, &mut raw);
            // A bit of the epoch makes it one in the clear.
            let clear = result.as_ref().is_ok_and(|it| it.number.epoch == 0);
            assert!(result.is_err() || clear && epoch == 1, "{suite} {bit}");
        }
        let seen = opened(&mut reader, now, &record);
        assert_eq!(seen, Ok((epoch, 0, APPLICATION_DATA, b"payload".to_vec())));
        assert_eq!(opened(&mut reader, now, &record), Err(Refused::Replayed));
        for len in [0, 1, 100, MAX_PLAINTEXT] {
            let record = sealed(&mut writer, epoch, &vec![0; len]);
            assert_eq!(opened(&mut reader, now, &record).unwrap().3, vec![0; len]);
        }
    }
}

/// A forged record with the highest number does not move the window.
#[test]
fn the_window_moves_only_for_what_authenticates() {
    let now = base();
    for suite in suites() {
        let (mut writer, mut reader, epoch) = pair(suite);
        let mut forged = sealed(&mut writer, epoch, b"forged");
        let number = if epoch == 1 { 5..11 } else { 1..3 };
        forged[number].fill(0xFF);
        assert_eq!(opened(&mut reader, now, &forged), Err(Refused::Forged));
        for _ in 0..1_000 {
            let record = sealed(&mut writer, epoch, b"genuine");
            assert_eq!(opened(&mut reader, now, &record).unwrap().3, b"genuine");
            assert_eq!(opened(&mut reader, now, &record), Err(Refused::Replayed));
        }
    }
}

#[test]
fn the_last_number_is_used_once() {
    let now = base();
    for suite in suites() {
        let (mut writer, mut reader, epoch) = pair(suite);
        let limit = limit(writer.write.last().unwrap()).records;
        writer.set_sequence(epoch, limit - 1);
        assert_eq!(writer.remaining(epoch), 1);
        if let Some(state) = reader.read.last_mut() {
            state.window.mark(limit - 2);
        }
        let record = sealed(&mut writer, epoch, b"last");
        assert_eq!(opened(&mut reader, now, &record).unwrap().1, limit - 1);
        let mut buf = vec![1, 2, 3];
        let refused = writer.append(epoch, APPLICATION_DATA, &[b"more"], &mut buf);
        assert_eq!((refused, buf), (Err(Error::KeyExhausted), vec![1, 2, 3]));
    }
}

#[test]
fn a_number_is_used_up_even_when_nothing_is_sealed_and_the_buffer_stays() {
    for suite in suites() {
        let (mut writer, _, epoch) = pair(suite);
        for (len, error) in [(2, Error::Layout), (40_000, Error::TooLarge)] {
            let mut buf = vec![7; len];
            assert_eq!(writer.seal(epoch, 23, &mut buf, 0), Err(error));
            assert_eq!(buf, vec![7; len]);
        }
        let missing = writer.seal(9, 23, &mut vec![0; 99], 0);
        assert_eq!(missing, Err(Error::NotConnected));
    }
}

#[test]
fn forgeries_wear_a_key_out() {
    let now = base();
    for suite in suites() {
        let (mut writer, mut reader, epoch) = pair(suite);
        let record = sealed(&mut writer, epoch, b"payload");
        let mut forged = record.clone();
        *forged.last_mut().unwrap() ^= 1;
        reader.set_forged(epoch, (1 << 36) - 1);
        assert_eq!(opened(&mut reader, now, &forged), Err(Refused::Forged));
        assert_eq!(opened(&mut reader, now, &record), Err(Refused::Spent));
    }
}

/// RFC 9147 §4.2.3: on the wire numbers look random; the header we write has them wide, and a length.
#[test]
fn numbers_of_1_3_are_hidden() {
    for suite in CipherSuite::of(Version::Dtls13) {
        let (mut writer, _) = pair_1_3(suite, &[2, 3]);
        let seen: Vec<u16> = (0..200)
            .map(|_| {
                let record = sealed(&mut writer, 3, b"same");
                assert_eq!((record[0], record[3], record[4]), (0x2F, 0, 4 + 1 + 16));
                u16::from_be_bytes([record[1], record[2]])
            })
            .collect();
        let plain = seen
            .iter()
            .enumerate()
            .filter(|(at, it)| *at == usize::from(**it));
        assert!(plain.count() < 5, "{suite}");
    }
}

#[test]
fn two_bits_name_one_of_three_neighbours() {
    let now = base();
    let suite = CipherSuite::Aes128Gcm;
    let (mut writer, mut reader) = pair_1_3(suite, &[2, 3, 4, 5, 6]);
    // Of the epochs that were read only the newest three are kept.
    for (epoch, kept) in [(6, true), (5, true), (4, true), (3, false), (2, false)] {
        let record = sealed(&mut writer, epoch, b"x");
        let seen = opened(&mut reader, now, &record).map(|seen| seen.0);
        match kept {
            true => assert_eq!(seen, Ok(epoch)),
            // 2 looks like 6 and does not authenticate under its keys.
            false => assert_ne!(seen, Ok(epoch)),
        }
    }
    let later = now + Duration::from_secs(241);
    let record = sealed(&mut writer, 5, b"x");
    assert_eq!(opened(&mut reader, later, &record), Err(Refused::NoKeys));
    let record = sealed(&mut writer, 6, b"x");
    assert_eq!(opened(&mut reader, later, &record).unwrap().0, 6);
}

#[test]
fn the_clear_is_noise_once_a_record_of_1_3_was_opened() {
    let now = base();
    let (mut writer, mut reader) = pair_1_3(CipherSuite::Aes128Gcm, &[2]);
    let clear = sealed(&mut Records::new(u64::MAX), 0, b"clear");
    assert_eq!(opened(&mut reader, now, &clear).unwrap().3, b"clear");
    let mut forged = sealed(&mut writer, 2, b"x");
    *forged.last_mut().unwrap() ^= 1;
    assert!(opened(&mut reader, now, &forged).is_err());
    assert!(opened(&mut reader, now, &clear).is_ok());
    let record = sealed(&mut writer, 2, b"x");
    assert!(opened(&mut reader, now, &record).is_ok());
    assert_eq!(opened(&mut reader, now, &clear), Err(Refused::Malformed));
}

#[test]
fn each_version_has_its_header_and_before_it_is_known_both_are_held() {
    let now = base();
    let (mut old, _) = pair_1_2(CipherSuite::EcdheEcdsaAes128Gcm);
    let (mut new, _) = pair_1_3(CipherSuite::Aes128Gcm, &[2, 3]);
    let (old_record, new_record) = (sealed(&mut old, 1, b"x"), sealed(&mut new, 3, b"x"));
    let mut nobody = Records::new(u64::MAX);
    for record in [&old_record, &new_record] {
        let mut copy = record.clone();
        let (mut raw, _) = split(&mut copy).unwrap();
        assert_eq!(nobody.open(now, &mut raw), Err(Refused::NoKeys));
        assert_eq!(&raw.to_vec(), record, "it is left as it was");
    }
    let (_, mut old) = pair_1_2(CipherSuite::EcdheEcdsaAes128Gcm);
    let (_, mut new) = pair_1_3(CipherSuite::Aes128Gcm, &[2, 3]);
    assert_eq!(opened(&mut old, now, &new_record), Err(Refused::Malformed));
    assert_eq!(opened(&mut new, now, &old_record), Err(Refused::Malformed));
    let mut other_version = old_record.clone();
    other_version[2] = 0xFF;
    let refused = opened(&mut old, now, &other_version);
    assert_eq!(refused, Err(Refused::Malformed));
}

/// RFC 8446 §5.4: zeros behind the type are padding, and there is a type.
#[test]
fn the_inner_type_is_the_last_byte_that_is_not_zero() {
    let mut plaintext = [1, 0, 2, 23, 0, 0];
    assert_eq!(inner(&mut plaintext), Ok((23, &mut [1, 0, 2][..])));
    assert_eq!(inner(&mut [22]), Ok((22, &mut [][..])));
    assert_eq!(inner(&mut [0, 0]), Err(Refused::Empty));
    assert_eq!(inner(&mut []), Err(Refused::Empty));
    let mut large = vec![1; MAX_PLAINTEXT + 1];
    assert_eq!(inner(&mut large).unwrap().1.len(), MAX_PLAINTEXT);
    // Padding is no way around that.
    for more in [0, 1] {
        let mut larger = [&large[..], &[more]].concat();
        assert_eq!(inner(&mut larger), Err(Refused::TooLarge), "{more}");
    }
}

/// Short numbers and records without a length come from others.
#[test]
fn narrow_headers_are_read() {
    let now = base();
    let (_, mut reader) = pair_1_3(CipherSuite::ChaCha20Poly1305, &[3]);
    let keys = key(CipherSuite::ChaCha20Poly1305, 3);
    for sequence in [0_u64, 1, 100, 200, 255, 256, 300, 420] {
        let mut header = [0x23, sequence as u8];
        let mut body = b"narrow\x17\0\0".to_vec();
        let tag = keys.seal_1_3(sequence, &header, &mut body).unwrap();
        body.extend(tag);
        number13::mask(&mut header[1..], keys.mask(&body).unwrap());
        let record = [&header[..], &body].concat();
        let seen = opened(&mut reader, now, &record);
        assert_eq!(seen, Ok((3, sequence, 23, b"narrow".to_vec())));
    }
    assert_eq!(
        opened(&mut reader, now, &[0x2F, 0, 0, 0, 5, 1, 2, 3, 4, 5]),
        Err(Refused::Malformed)
    );
}

#[test]
fn split_takes_one_record_after_the_other_and_drops_what_is_none() {
    let (mut old, _) = pair_1_2(CipherSuite::EcdheEcdsaAes128Gcm);
    let (mut new, _) = pair_1_3(CipherSuite::Aes128Gcm, &[2, 3]);
    let records = [
        sealed(&mut old, 0, b"one"),
        sealed(&mut new, 2, b"two"),
        sealed(&mut old, 1, b"three"),
        sealed(&mut new, 3, b"four"),
    ];
    let mut datagram = records.concat();
    let mut rest = &mut datagram[..];
    for record in &records {
        let (raw, tail) = split(rest).unwrap();
        assert_eq!(&raw.to_vec(), record);
        rest = tail;
    }
    assert!(rest.is_empty() && split(rest).is_none());
    for record in &records {
        for end in 0..record.len() {
            assert!(split(&mut record[..end].to_vec()).is_none());
        }
    }
    // A connection id, an unknown type, and lengths beyond the limits.
    for bad in [
        vec![0x3F; 60],
        vec![19; 60],
        vec![64; 60],
        [&[0x2F, 0, 0, 0x42, 0][..], &vec![0; 0x4200]].concat(),
        [
            &[23, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0x48, 1][..],
            &vec![0; 0x4801],
        ]
        .concat(),
    ] {
        assert!(split(&mut bad.clone()).is_none());
    }
}

/// RFC 9147 §4.2.1: an old epoch ends when twice the life of a datagram has passed since the one behind it was
/// heard, at that moment, and no other with it.
#[test]
fn old_epochs_end_one_after_the_other() {
    let start = base();
    let (mut writer, mut reader) = pair_1_3(CipherSuite::Aes128Gcm, &[2, 3, 4]);
    let mut records = |epoch| [(); 3].map(|()| sealed(&mut writer, epoch, b"old"));
    let (second, third, fourth) = (records(2), records(3), records(4));
    let later = start + Duration::from_secs(10);
    assert!(opened(&mut reader, start, &third[0]).is_ok());
    assert!(opened(&mut reader, later, &fourth[0]).is_ok());
    let ends = [start, later].map(|it| it + Duration::from_secs(240));
    let before = ends[0] - Duration::from_nanos(1);
    assert!(opened(&mut reader, before, &second[0]).is_ok());
    let gone = opened(&mut reader, ends[0], &second[1]);
    assert_eq!(gone, Err(Refused::NoKeys));
    assert!(opened(&mut reader, ends[0], &third[1]).is_ok());
    let gone = opened(&mut reader, ends[1], &third[2]);
    assert_eq!(gone, Err(Refused::NoKeys));
    assert!(opened(&mut reader, ends[1], &fourth[1]).is_ok());
}

/// In 1.2 the header names the epoch in full: the keys of another one are not tried, and nothing is counted against them.
#[test]
fn keys_of_1_2_open_their_epoch_alone() {
    let (mut client, mut server) = pair_1_2(CipherSuite::EcdheEcdsaAes128Gcm);
    let record = sealed(&mut client, 1, b"genuine");
    for epoch in [2, 3, 0xFFFF_u16] {
        let mut other = record.clone();
        other[3..5].copy_from_slice(&epoch.to_be_bytes());
        let refused = opened(&mut server, base(), &other);
        assert_eq!(refused, Err(Refused::NoKeys), "{epoch}");
    }
    assert_eq!(server.read[1].forged, 0);
    assert!(opened(&mut server, base(), &record).is_ok());
}

/// RFC 8446 §5.2: 2^14 bytes, and 256 that protection may add.
#[test]
fn a_record_has_a_largest_length() {
    for (length, whole) in [(16_640_u16, true), (16_641, false)] {
        let mut datagram = vec![0x2E, 0, 0];
        datagram.extend(length.to_be_bytes());
        datagram.resize(5 + usize::from(length), 7);
        assert_eq!(split(&mut datagram).is_some(), whole, "{length}");
    }
}

/// RFC 5246 §6.2.1: what a cipher may add leaves room for more payload than there may be.
#[test]
fn a_plaintext_of_1_2_has_a_largest_length() {
    for (length, fits) in [(MAX_PLAINTEXT, true), (MAX_PLAINTEXT + 1, false)] {
        for suite in suites().filter(|it| it.version() == Version::Dtls12) {
            let (client, mut server) = pair_1_2(suite);
            let keys = client.write[1].keys.as_ref().unwrap();
            let mut fragment = vec![7; keys.explicit_nonce_len() + length];
            let number = 1 << 48 | 9;
            let tag = keys.seal_1_2(number, APPLICATION_DATA, &mut fragment);
            fragment.extend(tag.unwrap());
            let header = Header {
                content_type: APPLICATION_DATA,
                version: VERSION,
                epoch: 1,
                sequence: 9,
                length: fragment.len(),
            };
            let record = [&header.to_bytes()[..], &fragment].concat();
            let seen = opened(&mut server, base(), &record);
            let expected = (1, 9, APPLICATION_DATA, vec![7; length]);
            let expected = fits.then_some(expected).ok_or(Refused::TooLarge);
            assert_eq!(seen, expected, "{suite:?} {length}");
        }
        let header = Header {
            content_type: HANDSHAKE,
            version: VERSION,
            epoch: 0,
            sequence: 0,
            length,
        };
        let record = [&header.to_bytes()[..], &vec![7; length]].concat();
        let seen = opened(&mut Records::new(u64::MAX), base(), &record);
        let expected = fits.then_some(()).ok_or(Refused::Malformed);
        assert_eq!(seen.map(|_| ()), expected, "{length}");
    }
}

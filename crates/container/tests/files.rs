//! Files that ffmpeg has made, read, written again, cut short and broken.
#![expect(clippy::unwrap_used, reason = "a test stops where it is wrong")]

use std::{
    io::Cursor,
    process::{Command, Stdio},
    time::Duration,
};

use oxirtc_container::{
    AnnexBWriter, Codec, Error, Frame, IvfWriter, OggWriter, PATTERN, Reader, TONE, opus_duration,
};

const VP9: &[u8] = include_bytes!("data/vp9.ivf");
const AV1: &[u8] = include_bytes!("data/av1.ivf");
const H264: &[u8] = include_bytes!("data/h264.h264");
const H265: &[u8] = include_bytes!("data/h265.h265");

fn read(file: &[u8]) -> Result<(Codec, Vec<Frame>), Error> {
    let mut reader = Reader::open(file)?;
    let mut frames = Vec::new();
    while let Some(frame) = reader.read()? {
        frames.push(frame);
    }
    Ok((reader.codec(), frames))
}

#[test]
fn files_are_read_frame_by_frame() {
    let cases = [
        (PATTERN, Codec::Vp8, 90, 15),
        (VP9, Codec::Vp9, 10, 10),
        (AV1, Codec::Av1, 10, 10),
        (H264, Codec::H264, 10, 30),
        (H265, Codec::H265, 10, 30),
    ];
    for (file, codec, count, rate) in cases {
        let (found, frames) = read(file).unwrap();
        assert_eq!((found, frames.len()), (codec, count));
        for (at, frame) in frames.iter().enumerate() {
            let wanted = Duration::from_secs(at as u64) / rate;
            let off = frame.time.abs_diff(wanted);
            assert!(off < Duration::from_millis(1), "{codec:?} {at}: {off:?}");
            assert!(!frame.payload.is_empty());
        }
    }
    let mut slow = Reader::open(H264).unwrap();
    slow.set_interval(Duration::from_millis(100));
    slow.read().unwrap();
    let second = slow.read().unwrap().unwrap();
    assert_eq!(second.time, Duration::from_millis(100));
}

#[test]
fn an_access_unit_has_all_of_its_units() {
    // Parameter sets and two slices in each key frame, two slices in the others.
    let (_, frames) = read(H264).unwrap();
    let whole: Vec<u8> = frames.iter().flat_map(|it| it.payload.clone()).collect();
    let codes = |bytes: &[u8]| bytes.windows(3).filter(|it| *it == [0, 0, 1]).count();
    assert_eq!(codes(&whole), codes(H264));
    let slices = |frame: &Frame| {
        let units = frame.payload.windows(4).filter(|it| it[..3] == [0, 0, 1]);
        units.filter(|it| matches!(it[3] & 0x1f, 1 | 5)).count()
    };
    assert!(frames.iter().all(|it| slices(it) == 2));
    assert_eq!(frames[0].payload[4] & 0x1f, 7);
}

#[test]
fn ogg_is_read_packet_by_packet() {
    let (codec, packets) = read(TONE).unwrap();
    assert_eq!(codec, Codec::Opus);
    assert!((300..=302).contains(&packets.len()), "{}", packets.len());
    let mut time = Duration::ZERO;
    for packet in &packets {
        assert_eq!(packet.time, time);
        time += opus_duration(&packet.payload).unwrap();
    }
}

/// What was written is what is read, and what ffprobe decodes.
#[test]
fn what_is_written_is_read_again() {
    for file in [PATTERN, VP9, AV1] {
        let (codec, frames) = read(file).unwrap();
        let mut writer = IvfWriter::new(Cursor::new(Vec::new()), codec, (128, 96)).unwrap();
        for frame in &frames {
            writer.write(frame.time, &frame.payload).unwrap();
        }
        let written = writer.finish().unwrap().into_inner();
        assert_eq!(written[24], frames.len() as u8);
        let (again, copies) = read(&written).unwrap();
        assert_eq!((again, copies.len()), (codec, frames.len()));
        for (copy, frame) in copies.iter().zip(&frames) {
            assert_eq!(copy.payload, frame.payload);
            assert!(copy.time.abs_diff(frame.time) < Duration::from_micros(12));
        }
        probe(&written, "ivf", frames.len());
    }
    for (file, format) in [(H264, "h264"), (H265, "hevc")] {
        let (_, frames) = read(file).unwrap();
        let mut writer = AnnexBWriter::new(Vec::new());
        for frame in &frames {
            writer.write(&frame.payload).unwrap();
        }
        let written = writer.finish().unwrap();
        assert_eq!(read(&written).unwrap().1, frames);
        probe(&written, format, frames.len());
    }
    let (_, packets) = read(TONE).unwrap();
    let mut writer = OggWriter::new(Vec::new(), 1, 7).unwrap();
    for packet in &packets {
        writer.write(&packet.payload).unwrap();
    }
    let written = writer.finish().unwrap();
    assert_eq!(read(&written).unwrap().1, packets);
    probe(&written, "ogg", packets.len());
}

/// Decodes all of it.
fn probe(file: &[u8], format: &str, count: usize) {
    let arguments = ["-v", "error", "-f", format, "-count_frames"];
    let shown = [
        "-show_entries",
        "stream=nb_read_frames",
        "-of",
        "csv=p=0",
        "-",
    ];
    let program = Command::new("ffprobe")
        .args(arguments)
        .args(shown)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut program = program.expect("ffprobe decodes it: cargo xtask setup installs it");
    let mut input = program.stdin.take().unwrap();
    let bytes = file.to_vec();
    let writing = std::thread::spawn(move || std::io::Write::write_all(&mut input, &bytes));
    let output = program.wait_with_output().unwrap();
    writing.join().unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.success() && said.is_empty(),
        "{format}: {said}"
    );
    let found = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        found.trim().trim_end_matches(','),
        count.to_string(),
        "{format}"
    );
}

#[test]
fn what_is_missing_in_sound_keeps_its_time() {
    let (_, packets) = read(TONE).unwrap();
    let mut writer = OggWriter::new(Vec::new(), 1, 7).unwrap();
    writer.write(&packets[0].payload).unwrap();
    let gap = writer.write_missing(Duration::from_millis(70)).unwrap();
    assert_eq!(gap, Duration::from_millis(60));
    writer.write(&packets[1].payload).unwrap();
    let written = writer.finish().unwrap();
    let (_, again) = read(&written).unwrap();
    assert_eq!(again.len(), 5);
    assert_eq!(again[4].time, Duration::from_millis(80));
    assert_eq!(again[4].payload, packets[1].payload);
    probe(&written, "ogg", 5);
}

#[test]
fn a_long_packet_goes_over_pages() {
    // A page has 255 lengths: 65,025 bytes at most.
    let mut long = vec![7; 60_000];
    long[0] = 0xf8;
    let mut writer = OggWriter::new(Vec::new(), 2, 1).unwrap();
    writer.write(&long[..255]).unwrap();
    writer.write(&long).unwrap();
    writer.write(&long[..510]).unwrap();
    let written = writer.finish().unwrap();
    let lens: Vec<_> = read(&written)
        .unwrap()
        .1
        .iter()
        .map(|it| it.payload.len())
        .collect();
    assert_eq!(lens, [255, 60_000, 510]);
}

/// A file that is cut short says where, and never ends as if it were whole; also where a frame, or a page, does.
#[test]
fn a_file_that_is_cut_short_says_where() {
    for (file, step) in [(PATTERN, 97), (VP9, 7), (AV1, 5), (TONE, 89)] {
        let ends = ends(file);
        // Ogg is whole behind its headers: a stream of nothing.
        let nothing = file.starts_with(b"OggS").then_some(ends[1]);
        let cuts = (4..file.len()).step_by(step).chain(ends.clone());
        for len in cuts.filter(|it| *it < file.len() && Some(*it) != nothing) {
            match read(&file[..len]) {
                Err(Error::Cut { at, .. }) => assert_eq!(at, len as u64),
                other => panic!("{len}: {other:?}"),
            }
        }
    }
    for (file, what) in [
        (PATTERN, "the frames that its header counts"),
        (TONE, "a stream: its last page is missing"),
    ] {
        let len = ends(file)[2];
        let line = format!("the file ends at byte {len}, in the middle of {what}");
        assert_eq!(read(&file[..len]).unwrap_err().to_string(), line);
    }
}

/// Where the header and the frames of IVF end, or the pages of Ogg.
fn ends(file: &[u8]) -> Vec<usize> {
    if file.starts_with(b"OggS") {
        let pages = (1..file.len() - 3).filter(|at| file[*at..].starts_with(b"OggS"));
        return pages.chain([file.len()]).collect();
    }
    let mut ends = vec![32];
    while let Some(len) = file
        .get(ends[ends.len() - 1]..)
        .and_then(|it| it.first_chunk())
    {
        ends.push(ends[ends.len() - 1] + 12 + u32::from_le_bytes(*len) as usize);
    }
    ends
}

/// What the header of IVF counts is frames, or by ffmpeg the time that they last, or nothing yet.
#[test]
fn a_whole_file_of_ivf_says_so_in_one_of_three_ways() {
    let frames = read(VP9).unwrap().1;
    let mut writer = IvfWriter::new(Cursor::new(Vec::new()), Codec::Vp9, (128, 96)).unwrap();
    for (at, frame) in frames.iter().enumerate() {
        // At 90 kHz a picture lasts 9,000 ticks, one of them longer.
        let late = if at > 4 { 50 } else { 0 };
        let time = Duration::from_millis(100 * at as u64 + late);
        writer.write(time, &frame.payload).unwrap();
    }
    let written = writer.finish().unwrap().into_inner();
    let with = |told: u32| {
        let mut file = written.clone();
        file[24..28].copy_from_slice(&told.to_le_bytes());
        read(&file).map(|it| it.1.len())
    };
    let lasting = 10 * 9000 + 4500;
    for told in [0, u32::MAX, 10, lasting, lasting + 2000] {
        assert_eq!(with(told).unwrap(), 10, "{told}");
    }
    for told in [11, 20, 85_500, lasting + 12_000, 2 * lasting] {
        let error = with(told).unwrap_err();
        let is_cut = matches!(error, Error::Cut { at, .. } if at == written.len() as u64);
        assert!(is_cut, "{told}: {error}");
    }
}

/// Whatever times a file tells, and in whatever order.
#[test]
fn no_time_of_ivf_is_too_far() {
    let frames = read(VP9).unwrap().1;
    let mut file = VP9[..32].to_vec();
    file[24..28].copy_from_slice(&10_u32.to_le_bytes());
    for (ticks, frame) in [0, u64::MAX, 5].into_iter().zip(&frames) {
        file.extend(u32::to_le_bytes(frame.payload.len() as u32));
        file.extend(u64::to_le_bytes(ticks));
        file.extend(&frame.payload);
    }
    let times: Vec<_> = read(&file).unwrap().1.iter().map(|it| it.time).collect();
    assert_eq!(times.len(), 3, "{times:?}");
}

/// A frame that is alone lasts half a second at most: what the header says beyond that was cut off behind it.
#[test]
fn a_file_of_one_frame_is_told_from_one_that_was_cut_behind_it() {
    let frame = &read(VP9).unwrap().1[0];
    let mut writer = IvfWriter::new(Cursor::new(Vec::new()), Codec::Vp9, (128, 96)).unwrap();
    writer.write(Duration::ZERO, &frame.payload).unwrap();
    let written = writer.finish().unwrap().into_inner();
    for (told, is_whole) in [(1, true), (3000, true), (45_000, true), (45_001, false)] {
        let mut file = written.clone();
        file[24..28].copy_from_slice(&u32::to_le_bytes(told));
        assert_eq!(read(&file).is_ok(), is_whole, "{told}");
    }
}

/// Of a byte stream a cut is seen where a unit or a picture is missing, and not inside of its last slice.
#[test]
fn a_byte_stream_that_is_cut_short_says_where_it_can_be_seen() {
    let start = |file: &[u8]| {
        let mut codes = (0..file.len() - 3).filter(|at| file[*at..].starts_with(&[0, 0, 1]));
        codes.next_back().unwrap()
    };
    for (file, header) in [(H264, 1), (H265, 2)] {
        let last = start(file);
        for len in last + 3..=last + 3 + header {
            let line = format!("the file ends at byte {len}, in the middle of a unit");
            assert_eq!(read(&file[..len]).unwrap_err().to_string(), line);
        }
        assert_eq!(read(&file[..last + 10]).unwrap().1.len(), 10);
    }
    // The last picture without its second slice, and without both.
    let last = start(H264);
    let line = "in the middle of a picture: each before it has more slices";
    let said = read(&H264[..last]).unwrap_err().to_string();
    assert!(said.ends_with(line), "{said}");
    let first = start(&H264[..last]);
    assert_eq!(read(&H264[..first]).unwrap().1.len(), 9);
    // Parameter sets behind a whole picture.
    let cut = [H264, b"\0\0\0\x01\x67\x42\0\x1f"].concat();
    let said = read(&cut).unwrap_err().to_string();
    assert!(
        said.ends_with("in the middle of a picture: its slices are missing"),
        "{said}"
    );
    // The end of a sequence is a unit without content.
    assert_eq!(read(&[H264, b"\0\0\x01\x0a"].concat()).unwrap().1.len(), 10);
    assert_eq!(
        read(&[H265, b"\0\0\x01\x48\x01"].concat()).unwrap().1.len(),
        10
    );
}

#[test]
fn what_is_no_file_is_told_in_a_line() {
    let lines = [
        (
            &b"DKIF"[..],
            "the file ends at byte 4, in the middle of the header",
        ),
        (
            b"\0\0\0\x01\x67\x42\0\x1f",
            "the file ends at byte 8, in the middle of a picture: its slices are missing",
        ),
        (
            b"RIFF",
            "it is neither IVF nor Ogg nor a byte stream of H.264 or H.265",
        ),
        (
            b"",
            "it is neither IVF nor Ogg nor a byte stream of H.264 or H.265",
        ),
        (
            b"\0\0\0\x01\x65\x88",
            "at byte 0: no byte stream that begins with a delimiter or parameter sets",
        ),
    ];
    for (file, line) in lines {
        assert_eq!(read(file).unwrap_err().to_string(), line);
    }
}

#[test]
fn a_broken_page_is_found() {
    let mut file = TONE.to_vec();
    let at = file.len() / 2;
    file[at] ^= 1;
    let error = read(&file).unwrap_err().to_string();
    assert!(error.contains("checksum"), "{error}");
    // Without its second page of sound.
    let pages: Vec<_> = (0..TONE.len() - 3)
        .filter(|at| TONE[*at..].starts_with(b"OggS"))
        .collect();
    let mut file = TONE[..pages[3]].to_vec();
    file.extend_from_slice(&TONE[pages[4]..]);
    let error = read(&file).unwrap_err().to_string();
    assert_eq!(error, format!("at byte {}: a page is missing", pages[3]));
}

#[test]
fn what_does_not_fit_is_refused() {
    assert!(IvfWriter::new(Cursor::new(Vec::new()), Codec::Opus, (1, 1)).is_err());
    assert!(OggWriter::new(Vec::new(), 3, 1).is_err());
    assert!(
        OggWriter::new(Vec::new(), 2, 1)
            .unwrap()
            .write(&[])
            .is_err()
    );
    assert!(AnnexBWriter::new(Vec::new()).write(&[0x65]).is_err());
    // A length that no frame has takes no memory.
    let mut file = PATTERN[..32].to_vec();
    file.extend_from_slice(&[0xff; 12]);
    let error = read(&file).unwrap_err().to_string();
    assert_eq!(error, "at byte 32: a frame of more than 4 MiB");
}

/// What changes its codec in the middle says where, and what came before is played.
#[test]
fn a_file_of_two_codecs_says_where_the_other_begins() {
    let frames = |file: &'static [u8]| &file[32..];
    let ivf = [
        (PATTERN, "VP8", [VP9, AV1]),
        (VP9, "VP9", [PATTERN, AV1]),
        (AV1, "AV1", [PATTERN, VP9]),
    ];
    for (file, name, others) in ivf {
        for other in others {
            let mixed = [file, frames(other)].concat();
            let expected = format!(
                "at byte {}: a frame that is none of {name}, as all of the file are to be",
                file.len()
            );
            assert_eq!(read(&mixed).unwrap_err().to_string(), expected);
            let mut reader = Reader::open(&mixed[..]).unwrap();
            let before = std::iter::from_fn(|| reader.read().ok().flatten()).count();
            assert_eq!(before, read(file).unwrap().1.len());
        }
    }
    for (file, name, other) in [(H264, "H.264", H265), (H265, "H.265", H264)] {
        let mixed = [file, other].concat();
        let line = read(&mixed).unwrap_err().to_string();
        let expected = format!(": a unit that is none of {name}, as all of the file are to be");
        let at = line
            .strip_prefix("at byte ")
            .and_then(|it| it.strip_suffix(&expected));
        let at: usize = at.unwrap_or_else(|| panic!("{line}")).parse().unwrap();
        // Behind the start code of its first parameter set.
        assert!((file.len()..file.len() + 8).contains(&at), "{line}");
    }
    // Another stream of Ogg begins with a number of its own.
    let mut other = OggWriter::new(Vec::new(), 2, 77).unwrap();
    other.write(&read(TONE).unwrap().1[0].payload).unwrap();
    let mixed = [TONE, &other.finish().unwrap()].concat();
    let line = read(&mixed).unwrap_err().to_string();
    assert_eq!(
        line,
        format!(
            "at byte {}: another stream: one is all that is played",
            TONE.len()
        )
    );
}

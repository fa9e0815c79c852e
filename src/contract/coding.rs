//! gzip, as far as a judge needs it: whether bytes that are called so are it (RFC 1952, RFC 1951).

/// What a member of gzip begins with: its magic number, and the one method there is.
const MAGIC: [u8; 3] = [0x1f, 0x8b, 8];
/// Flags of the header: a checksum of it, extra fields, a name, a comment.
const FHCRC: u8 = 2;
const FEXTRA: u8 = 4;
const FNAME: u8 = 8;
const FCOMMENT: u8 = 16;
/// Bytes of checksum and length at the end.
const TRAILER: usize = 8;

/// Why bytes are no gzip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotGzip {
    /// They do not begin as gzip does.
    Other,
    /// They end too soon.
    Truncated,
    /// They are spoiled inside, or do not have the checksum or length that they say.
    Spoiled,
    /// What is inside is longer than was asked for: nobody knows.
    TooLong,
}

/// The content of one gzip member, of at most `most` bytes; what follows the member is left alone.
///
/// # Errors
/// Says why it is none.
pub fn gunzip(bytes: &[u8], most: usize) -> Result<Vec<u8>, NotGzip> {
    let begun = bytes.len().min(MAGIC.len());
    if bytes.is_empty() || bytes[..begun] != MAGIC[..begun] {
        return Err(NotGzip::Other);
    }
    let mut bits = Bits { bytes, at: header(bytes)?, held: 0, count: 0 };
    let content = inflate(&mut bits, most)?;
    let end = bytes.get(bits.at..bits.at + TRAILER).ok_or(NotGzip::Truncated)?;
    let word = |at: usize| u32::from_le_bytes([end[at], end[at + 1], end[at + 2], end[at + 3]]);
    let length = u32::try_from(content.len() & 0xffff_ffff).unwrap_or(0);
    if word(0) == crc32(&content) && word(4) == length { Ok(content) } else { Err(NotGzip::Spoiled) }
}

/// A gzip member with this content, not made any smaller.
pub fn gzip(content: &[u8]) -> Vec<u8> {
    let mut out = vec![MAGIC[0], MAGIC[1], MAGIC[2], 0, 0, 0, 0, 0, 0, 255];
    let mut blocks = content.chunks(0xffff).peekable();
    if blocks.peek().is_none() {
        out.extend_from_slice(&[1, 0, 0, 0xff, 0xff]);
    }
    while let Some(block) = blocks.next() {
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
        out.push(u8::from(blocks.peek().is_none()));
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&(!length).to_le_bytes());
        out.extend_from_slice(block);
    }
    out.extend_from_slice(&crc32(content).to_le_bytes());
    out.extend_from_slice(&u32::try_from(content.len() & 0xffff_ffff).unwrap_or(0).to_le_bytes());
    out
}

/// Where the compressed content begins.
fn header(bytes: &[u8]) -> Result<usize, NotGzip> {
    let byte = |at: usize| bytes.get(at).copied().ok_or(NotGzip::Truncated);
    let flags = byte(3)?;
    let mut at = 10;
    if flags & FEXTRA != 0 {
        at += 2 + usize::from(byte(at)?) + (usize::from(byte(at + 1)?) << 8);
    }
    for text in [FNAME, FCOMMENT] {
        if flags & text != 0 {
            let rest = bytes.get(at..).ok_or(NotGzip::Truncated)?;
            at += rest.iter().position(|&byte| byte == 0).ok_or(NotGzip::Truncated)? + 1;
        }
    }
    if flags & FHCRC != 0 {
        at += 2;
    }
    if at > bytes.len() { Err(NotGzip::Truncated) } else { Ok(at) }
}

/// Source: RFC 1952 §8, a bit at a time: what is judged is short.
fn crc32(bytes: &[u8]) -> u32 {
    let step =
        |crc: u32, byte: &u8| (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 });
    !bytes.iter().fold(!0, step)
}

/// Bits, the lowest of each byte first.
struct Bits<'b> {
    bytes: &'b [u8],
    /// The next byte.
    at: usize,
    held: u32,
    count: u32,
}

impl Bits<'_> {
    /// At most 16 bits.
    fn take(&mut self, wanted: u32) -> Result<u32, NotGzip> {
        while self.count < wanted {
            self.held |= u32::from(*self.bytes.get(self.at).ok_or(NotGzip::Truncated)?) << self.count;
            self.at += 1;
            self.count += 8;
        }
        let bits = self.held & ((1 << wanted) - 1);
        self.held >>= wanted;
        self.count -= wanted;
        Ok(bits)
    }

    /// Lets go of what is left of a byte. Never is more than one held.
    fn align(&mut self) {
        (self.held, self.count) = (0, 0);
    }
}

/// A canonical Huffman code: how many symbols have each length, and the symbols in order of their codes.
struct Code {
    counts: [u16; 16],
    symbols: Vec<u16>,
}

impl Code {
    /// From the length of each symbol's code; 0: it has none. Codes that overlap are refused.
    fn new(lengths: &[u8]) -> Result<Code, NotGzip> {
        let mut counts = [0u16; 16];
        lengths.iter().for_each(|&length| counts[usize::from(length)] += 1);
        counts[0] = 0;
        let room = counts[1..].iter().try_fold(1i32, |room, &count| {
            let left = room * 2 - i32::from(count);
            (left >= 0).then_some(left)
        });
        room.ok_or(NotGzip::Spoiled)?;
        let mut symbols: Vec<u16> = (0u16..).take(lengths.len()).filter(|&symbol| lengths[usize::from(symbol)] > 0).collect();
        symbols.sort_by_key(|&symbol| lengths[usize::from(symbol)]);
        Ok(Code { counts, symbols })
    }

    fn read(&self, bits: &mut Bits<'_>) -> Result<u16, NotGzip> {
        let (mut code, mut first, mut index) = (0i32, 0i32, 0i32);
        for &count in &self.counts[1..] {
            code |= i32::from(bits.take(1)? == 1);
            let count = i32::from(count);
            if code - count < first {
                let at = usize::try_from(index + (code - first)).map_err(|_| NotGzip::Spoiled)?;
                return self.symbols.get(at).copied().ok_or(NotGzip::Spoiled);
            }
            index += count;
            first = (first + count) << 1;
            code <<= 1;
        }
        Err(NotGzip::Spoiled)
    }
}

/// Source: RFC 1951 §3.2.3.
fn inflate(bits: &mut Bits<'_>, most: usize) -> Result<Vec<u8>, NotGzip> {
    let mut out = Vec::new();
    loop {
        let last = bits.take(1)? == 1;
        match bits.take(2)? {
            0 => stored(bits, &mut out, most)?,
            1 => {
                let length = |symbol: u16| match symbol {
                    144..=255 => 9,
                    256..=279 => 7,
                    _ => 8,
                };
                let lengths: Vec<u8> = (0..288).map(length).collect();
                packed(bits, &Code::new(&lengths)?, &Code::new(&[5; 30])?, &mut out, most)?;
            }
            2 => {
                let (literals, distances) = codes(bits)?;
                packed(bits, &literals, &distances, &mut out, most)?;
            }
            _ => return Err(NotGzip::Spoiled),
        }
        if last {
            bits.align();
            return Ok(out);
        }
    }
}

fn stored(bits: &mut Bits<'_>, out: &mut Vec<u8>, most: usize) -> Result<(), NotGzip> {
    bits.align();
    let head = bits.bytes.get(bits.at..bits.at + 4).ok_or(NotGzip::Truncated)?;
    let (length, check) = (u16::from_le_bytes([head[0], head[1]]), u16::from_le_bytes([head[2], head[3]]));
    if length != !check {
        return Err(NotGzip::Spoiled);
    }
    let start = bits.at + 4;
    let block = bits.bytes.get(start..start + usize::from(length)).ok_or(NotGzip::Truncated)?;
    if out.len() + block.len() > most {
        return Err(NotGzip::TooLong);
    }
    out.extend_from_slice(block);
    bits.at = start + block.len();
    Ok(())
}

/// The codes that a block brings with it, themselves in code (RFC 1951 §3.2.7).
fn codes(bits: &mut Bits<'_>) -> Result<(Code, Code), NotGzip> {
    const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
    let literals = bits.take(5)? as usize + 257;
    let distances = bits.take(5)? as usize + 1;
    let own = bits.take(4)? as usize + 4;
    let mut lengths = [0u8; 19];
    for &at in &ORDER[..own] {
        lengths[at] = bits.take(3)? as u8;
    }
    let code = Code::new(&lengths)?;
    let mut lengths: Vec<u8> = Vec::with_capacity(literals + distances);
    while lengths.len() < literals + distances {
        let (length, times) = match code.read(bits)? {
            symbol @ 0..=15 => (symbol as u8, 1),
            16 => (*lengths.last().ok_or(NotGzip::Spoiled)?, 3 + bits.take(2)?),
            17 => (0, 3 + bits.take(3)?),
            _ => (0, 11 + bits.take(7)?),
        };
        lengths.extend(std::iter::repeat_n(length, times as usize));
    }
    if lengths.len() > literals + distances {
        return Err(NotGzip::Spoiled);
    }
    Ok((Code::new(&lengths[..literals])?, Code::new(&lengths[literals..])?))
}

/// Literals, and copies of what was before (RFC 1951 §3.2.5).
fn packed(bits: &mut Bits<'_>, literals: &Code, distances: &Code, out: &mut Vec<u8>, most: usize) -> Result<(), NotGzip> {
    const LENGTHS: [usize; 29] =
        [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258];
    const LENGTH_BITS: [u32; 29] = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
    const DISTANCES: [usize; 30] = [
        1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289,
        16385, 24577,
    ];
    loop {
        let symbol = usize::from(literals.read(bits)?);
        match symbol {
            0..=255 => out.push(symbol as u8),
            256 => return Ok(()),
            _ => {
                let nth = symbol - 257;
                let base = *LENGTHS.get(nth).ok_or(NotGzip::Spoiled)?;
                let length = base + bits.take(LENGTH_BITS[nth])? as usize;
                let nth = usize::from(distances.read(bits)?);
                let base = *DISTANCES.get(nth).ok_or(NotGzip::Spoiled)?;
                let extra = u32::try_from(nth / 2).unwrap_or(0).saturating_sub(1);
                let back = base + bits.take(extra)? as usize;
                let start = out.len().checked_sub(back).ok_or(NotGzip::Spoiled)?;
                (start..start + length).for_each(|at| out.push(out[at]));
            }
        }
        if out.len() > most {
            return Err(NotGzip::TooLong);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `{"error":"Not Found","error":"Not Found","error":"Not Found"}`, as gzip -9 writes it.
    const WRITTEN: &str = "1f8b0800000000000203ab564a2d2aca2f52b252f2cb2f5170cb2fcd4b51d22152ac1600a71754b13d000000";

    fn bytes_of(hex: &str) -> Vec<u8> {
        (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect()
    }

    #[test]
    fn what_others_wrote_is_read() {
        let text = "{\"error\":\"Not Found\",\"error\":\"Not Found\",\"error\":\"Not Found\"}";
        assert_eq!(gunzip(&bytes_of(WRITTEN), 1_000).as_deref(), Ok(text.as_bytes()));
        let dynamic = gunzip(&bytes_of(DYNAMIC), 10_000).unwrap();
        let words: String = (0..200u32).map(|n| format!("{} is {} and ", n, n * n % 97)).collect();
        assert_eq!(String::from_utf8(dynamic).unwrap(), words);
        assert_eq!(gunzip(&bytes_of(DYNAMIC), 100), Err(NotGzip::TooLong));
    }

    #[test]
    fn what_we_wrote_is_read_and_whatever_is_wrong_with_it_is_noticed() {
        for content in [&b""[..], b"{}", &[7; 200_000]] {
            assert_eq!(gunzip(&gzip(content), 200_000).as_deref(), Ok(content));
        }
        let whole = gzip(b"{\"a\":1}");
        for end in 1..whole.len() {
            assert_eq!(gunzip(&whole[..end], 100), Err(NotGzip::Truncated), "{end}");
        }
        for at in 0..whole.len() {
            let mut spoiled = whole.clone();
            spoiled[at] ^= 0x55;
            assert!(gunzip(&spoiled, 100).is_err() || (4..10).contains(&at), "{at}: time and system are nobody's business");
        }
        assert_eq!(gunzip(b"{\"a\":1}", 100), Err(NotGzip::Other));
        assert_eq!(gunzip(b"", 100), Err(NotGzip::Other));
        assert_eq!(gunzip(&whole, 3), Err(NotGzip::TooLong));
    }

    #[test]
    fn no_bytes_make_it_panic_or_run_away() {
        let mut seed = 1u64;
        for _ in 0..2_000 {
            let mut bytes = bytes_of(DYNAMIC);
            for _ in 0..4 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let at = 10 + (seed >> 33) as usize % (bytes.len() - 10);
                bytes[at] = (seed >> 24) as u8;
            }
            let _ = gunzip(&bytes, 10_000);
        }
    }

    /// 200 numbers and squares, in a block with codes of its own.
    const DYNAMIC: &str = "1f8b080000000000020355964db21d210885b77297202a7fcb4955269964f2f65f956a0ea4cf9d618b7244f8daf5f9f3f3599f5f7f7f7f\
         e431a5ccfd98b7ccf39859e62d072b5b1f7b6bd9f6d807dfbd56c23f1edbb04d3e76607759b5007645dd7012c4750c2ab26f0c2a76db15\
         fbf45e15dc7aa6a2275449853f1da6e23b0eba2bbe60cd2e010ab75d021247d925e042da2e01d9e92905b7d794826cb752a01da71404ec\
         126090764ac0c6394f0908b89d12a09dfa12b0a1f3948040664f0930a839c87f6f5d02a4672000c7395080c12d0517416f293888734b81\
         f44c29e825c8000e7d4b4020e62d01de455202bc674a80f79aa4812e7253a10d74d3d67a28a8de578d2ac954a303a8d3d134e8d09a940e\
         5b9428134aa16d4aae1d4abb5dba1053ba2a33ba4473ba5e0bba78cbb7227c51a9b85011f9a6f2f24385e7974ad2958ad58dcad89d0adc\
         834adf939a2216b54b0835526c6ab1386fefc5a5a60ca5760da3460e7f3b3c825a3f9299b00816294491dc84973cc49dbc2f8f525f4ca5\
         bdf44a7fa19641dff3f597b5de8d64098590c5d1651d1226eb9266594ac791655f90a31cc80ac6dc4ae61c7038a06b20f680ef4140c461\
         1d9038b06b280e548dee5c84cb41c0451dcfa4221290f10e8d854a4f3657a5008e399e976a5980c7e88151fdcbe6d69006e47826359434\
         235b7443b2d37eb8430598ece6157052664ea9e505a4b419312804ac3c132f092f025af632d0b29124976925e065834c404c9f3925fc49\
         337346fee5195fbb24470037273ac0d9c294c92d20e79c07e89cb3029e9307d07372a4fc0311f073720b804ede41d0b9132074eecbf83f\
         260dd18ede14ed1a0046a73e9aa33de09fa900a4537120e95423583a950a984e153bffd305389dea074fa73300d4e91a10753acabf9e16\
         60eaff5747729782aa3d05aa4e6fc7d7fba6b9da3241d68e06b20e4980d6a14cf0134b40d7a113f03ae4025f876a006c2f4b7ae14903b6\
         07975e8420eccc18af71de2dbe02b1887f275584de600a0000";
}

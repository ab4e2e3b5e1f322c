//! The classic BPF programs that choose which socket of the reuseport group takes a packet.
//!
//! Index 0 is the listener, index 1 the sink, in the order in which they joined. The kernel runs the
//! program for packets that belong to no connection and to no handshake only: new SYNs, the ACKs
//! that carry a SYN cookie, and strays. A program must send an ACK to the listener, always.
//!
//! The packet seen begins behind the TCP header; the IP header is reached by negative offsets
//! (`SKF_NET_OFF`, Documentation/networking/filter.rst).

use crate::sys::Instruction;

/// Everything to the listener. The whole program while no sink is open.
pub(crate) const LISTENER_TAKES_ALL: &[Instruction] = &[give(LISTENER)];

/// The listener's place in the group.
const LISTENER: u32 = 0;
/// The sink's.
const SINK: u32 = 1;

/// Where the IP header begins.
const IP: u32 = libc::SKF_NET_OFF.cast_unsigned();
/// How long an IPv6 header is. One with extension headers counts as not TCP.
const IPV6_LENGTH: u32 = 40;
/// Where an IPv6 header says what follows it, and the value that says TCP.
const IPV6_NEXT: (u32, u32) = (6, 6);

/// What comes from `port` to the sink, all else to the listener.
pub(super) fn sink_takes_port(port: u16) -> [Instruction; 13] {
    // The source port is the first half word of the TCP header.
    on_tcp(HALF, 0, 0xFFFF, u32::from(port))
}

/// New SYNs to the sink, all else to the listener.
pub(super) fn sink_takes_syns() -> [Instruction; 13] {
    /// Where the TCP header has its flags, and those that matter (RFC 9293, section 3.1).
    const FLAGS: u32 = 13;
    const SYN: u32 = 0x02;
    const ACK: u32 = 0x10;
    on_tcp(BYTE, FLAGS, SYN | ACK, SYN)
}

/// To the sink, if the value of `size` at `offset` of the TCP header, masked, is `wanted`.
///
/// The family of a packet is read from the packet: an IPv6 wildcard takes both. A packet too short
/// for a load ends the program with 0: the listener.
fn on_tcp(size: u32, offset: u32, mask: u32, wanted: u32) -> [Instruction; 13] {
    [
        load(BYTE | ABSOLUTE, IP),
        and(0xF0),
        go_on_if(0x40, 3),
        // IPv4: the first byte says how long the header is.
        load_header_length(IP),
        load(size | INDEXED, IP.wrapping_add(offset)),
        skip(3),
        // IPv6.
        load(BYTE | ABSOLUTE, IP.wrapping_add(IPV6_NEXT.0)),
        go_on_if(IPV6_NEXT.1, 4),
        load(size | ABSOLUTE, IP.wrapping_add(IPV6_LENGTH + offset)),
        // Both.
        and(mask),
        go_on_if(wanted, 1),
        give(SINK),
        give(LISTENER),
    ]
}

const BYTE: u32 = libc::BPF_B;
const HALF: u32 = libc::BPF_H;
const ABSOLUTE: u32 = libc::BPF_ABS;
const INDEXED: u32 = libc::BPF_IND;

/// Loads what lies at `at` into the accumulator.
const fn load(how: u32, at: u32) -> Instruction {
    instruction(libc::BPF_LD | how, 0, at)
}

/// Loads the length of the IPv4 header at `at` into the index register.
const fn load_header_length(at: u32) -> Instruction {
    instruction(libc::BPF_LDX | libc::BPF_B | libc::BPF_MSH, 0, at)
}

/// Masks the accumulator.
const fn and(mask: u32) -> Instruction {
    instruction(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K, 0, mask)
}

/// Skips `otherwise` instructions unless the accumulator is `wanted`.
const fn go_on_if(wanted: u32, otherwise: u8) -> Instruction {
    instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, otherwise, wanted)
}

/// Skips `count` instructions.
const fn skip(count: u32) -> Instruction {
    instruction(libc::BPF_JMP | libc::BPF_JA, 0, count)
}

/// Ends the program: the packet goes to the socket at `index`.
const fn give(index: u32) -> Instruction {
    instruction(libc::BPF_RET | libc::BPF_K, 0, index)
}

#[expect(clippy::cast_possible_truncation, reason = "operation codes have 16 bits")]
const fn instruction(code: u32, jf: u8, k: u32) -> Instruction {
    Instruction { code: code as u16, jt: 0, jf, k }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Runs a program as filter.rst defines it, over a packet that begins with its IP header.
    fn run(program: &[Instruction], packet: &[u8]) -> u32 {
        let (mut at, mut a, mut x) = (0, 0_u32, 0_u32);
        let byte =
            |offset: u32| packet.get(offset.wrapping_sub(IP) as usize).copied().map(u32::from);
        loop {
            let Instruction { code, jf, k, .. } = program[at];
            at += 1;
            match u32::from(code) {
                0x30 => match byte(k) {
                    Some(value) => a = value,
                    None => return 0,
                },
                0x28 => match (byte(k), byte(k.wrapping_add(1))) {
                    (Some(high), Some(low)) => a = high << 8 | low,
                    _ => return 0,
                },
                0x50 => match byte(k.wrapping_add(x)) {
                    Some(value) => a = value,
                    None => return 0,
                },
                0x48 => match (byte(k.wrapping_add(x)), byte(k.wrapping_add(x + 1))) {
                    (Some(high), Some(low)) => a = high << 8 | low,
                    _ => return 0,
                },
                0xB1 => match byte(k) {
                    Some(value) => x = (value & 0xF) * 4,
                    None => return 0,
                },
                0x54 => a &= k,
                0x15 if a == k => {}
                0x15 => at += usize::from(jf),
                0x05 => at += k as usize,
                0x06 => return k,
                other => panic!("unknown instruction {other:#x}"),
            }
        }
    }

    /// An IP header of version 4 with `options` words of options, or of version 6, then TCP.
    fn packet(v6: bool, options: u8, port: u16, flags: u8) -> Vec<u8> {
        let mut packet = if v6 {
            let mut header = vec![0x60, 0, 0, 0, 0, 0, 6, 64];
            header.resize(40, 0);
            header
        } else {
            let mut header = vec![0x45 + options];
            header.resize(20 + 4 * usize::from(options), 0);
            header
        };
        packet.extend(port.to_be_bytes());
        packet.resize(packet.len() + 11, 0);
        packet.push(flags);
        packet.resize(packet.len() + 6, 0);
        packet
    }

    const FAMILIES: [(bool, u8); 4] = [(false, 0), (false, 1), (false, 10), (true, 0)];

    #[test]
    fn only_syns_without_ack_go_to_the_sink() {
        for (v6, options) in FAMILIES {
            for flags in 0..=u8::MAX {
                let wanted = if flags & 0x12 == 0x02 { SINK } else { LISTENER };
                let packet = packet(v6, options, 4711, flags);
                assert_eq!(run(&sink_takes_syns(), &packet), wanted, "flags {flags:#x}, v6 {v6}");
                assert_eq!(run(LISTENER_TAKES_ALL, &packet), LISTENER);
            }
        }
    }

    #[test]
    fn only_the_filler_s_port_goes_to_the_sink() {
        for (v6, options) in FAMILIES {
            for port in [0, 1, 80, 4711, 65535] {
                let wanted = if port == 4711 { SINK } else { LISTENER };
                let program = sink_takes_port(4711);
                assert_eq!(run(&program, &packet(v6, options, port, 0x02)), wanted);
            }
        }
    }

    #[test]
    fn what_is_not_tcp_or_too_short_goes_to_the_listener() {
        let mut extended = packet(true, 0, 4711, 0x02);
        extended[6] = 43;
        assert_eq!(run(&sink_takes_syns(), &extended), LISTENER);
        for v6 in [false, true] {
            let whole = packet(v6, 0, 4711, 0x02);
            for length in 0..whole.len() - 6 {
                assert_eq!(run(&sink_takes_syns(), &whole[..length]), LISTENER);
            }
        }
    }

    /// What the TCP header of a packet has at `offset`, told without the program's arithmetic.
    fn tcp(packet: &[u8], offset: usize) -> Option<u8> {
        let header = match packet.first()? >> 4 {
            4 => usize::from(packet[0] & 0xF) * 4,
            _ if *packet.get(6)? == 6 => 40,
            _ => return None,
        };
        packet.get(header + offset).copied()
    }

    proptest! {
        #[test]
        fn any_packet_goes_where_its_header_says(
            mut packet in prop::collection::vec(any::<u8>(), 0..120),
            version in prop::sample::select(vec![0x40_u8, 0x60]),
            tcp_next: bool,
            flags: u8,
            port: u16,
        ) {
            // Most bytes at random are no packet of either version, and no SYN.
            if let Some(first) = packet.first_mut() {
                *first = version | *first & 0xF;
            }
            if let Some(next) = packet.get_mut(6).filter(|_| tcp_next) {
                *next = 6;
            }
            if let Some(at) = packet.get_mut(if version == 0x60 { 53 } else { 33 }) {
                *at = flags;
            }
            let syn = tcp(&packet, 13).is_some_and(|flags| flags & 0x12 == 0x02);
            prop_assert_eq!(run(&sink_takes_syns(), &packet), if syn { SINK } else { LISTENER });
            let from = tcp(&packet, 0).zip(tcp(&packet, 1)).map(|(a, b)| u16::from_be_bytes([a, b]));
            for port in [Some(port), from].into_iter().flatten() {
                let wanted = if from == Some(port) { SINK } else { LISTENER };
                prop_assert_eq!(run(&sink_takes_port(port), &packet), wanted);
            }
        }

        #[test]
        fn what_the_sink_takes_is_never_an_ack(packet: Vec<u8>) {
            let acks = tcp(&packet, 13).is_some_and(|flags| flags & 0x10 != 0);
            prop_assert!(!acks || run(&sink_takes_syns(), &packet) == LISTENER);
        }
    }
}

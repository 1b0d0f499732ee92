import Foundation
import Synchronization

/// A mapped file that another program cuts short, or that the disk cannot give: touching it raises SIGBUS, wherever the
/// program is. There is no going on; but the tool says which file it was, and ends with exit code 1.
///
/// What it was writing appears whole or not at all in any case, so ending at once does no harm.
enum BrokenMapping {
  /// What begins the line: the tool's name. Written once, before the handler is installed.
  nonisolated(unsafe) private static var prefix: UnsafeMutablePointer<CChar>?

  /// Whether a thread is saying it: several may be reading the file.
  private static let isSaid = Atomic(false)

  private static let remark: StaticString = """
    : became shorter, or could not be read, while it was in use; check the disk, and try again when no other program \
    writes the file

    """

  static func explain(as name: String) {
    prefix = strdup(name + ": ")
    isSaid.store(false, ordering: .relaxed)  // initializes it, which a signal handler must not do
    var action = sigaction()
    action.__sigaction_handler.sa_sigaction = { _, information, _ in
      guard !BrokenMapping.isSaid.exchange(true, ordering: .relaxed) else {
        while true { pause() }  // until the thread that was first ends the program
      }
      BrokenMapping.write(address: UInt(bitPattern: information?.pointee._sifields._sigfault.si_addr))
      _exit(1)
    }
    action.sa_flags = SA_SIGINFO
    sigaction(SIGBUS, &action, nil)
  }

  /// Only what a signal handler may do: no memory is allocated, no lock is taken.
  private static func write(address: UInt) {
    if let prefix { put(prefix, strlen(prefix)) }
    withUnsafeTemporaryAllocation(byteCount: 1 << 16, alignment: 1) { buffer in
      let count = mappings(into: buffer)
      if let name = path(of: address, in: UnsafeRawBufferPointer(rebasing: buffer[..<count])) {
        putVisibly(name)
      } else {
        put("a file", 6)
      }
    }
    put(remark.utf8Start, remark.utf8CodeUnitCount)
  }

  private static func put(_ bytes: UnsafeRawPointer, _ count: Int) { _ = Foundation.write(STDERR_FILENO, bytes, count) }

  /// Letters and signs of ASCII as they are, other bytes by number: what `printable` does would allocate.
  private static func putVisibly(_ name: UnsafeRawBufferPointer) {
    let digits: StaticString = "0123456789abcdef"
    for byte in name {
      withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 4) { text in
        text[0] = byte
        guard !(0x20..<0x7F).contains(byte) else { return put(text.baseAddress!, 1) }
        text[0] = UInt8(ascii: "\\")
        text[1] = UInt8(ascii: "x")
        text[2] = digits.utf8Start[Int(byte >> 4)]
        text[3] = digits.utf8Start[Int(byte & 15)]
        put(text.baseAddress!, 4)
      }
    }
  }

  /// The text of /proc/self/maps, as far as there is room.
  private static func mappings(into buffer: UnsafeMutableRawBufferPointer) -> Int {
    let descriptor = open("/proc/self/maps", O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return 0 }
    defer { close(descriptor) }
    var count = 0
    while count < buffer.count {
      let more = read(descriptor, buffer.baseAddress! + count, buffer.count - count)
      guard more > 0 else { break }
      count += more
    }
    return count
  }

  /// The file of the line `from-to rights offset device inode path` whose range holds the address.
  private static func path(of address: UInt, in text: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
    var start = 0
    while start < text.count {
      var end = start
      while end < text.count, text[end] != UInt8(ascii: "\n") { end += 1 }
      var position = start
      let from = hexadecimal(text, &position)
      position += 1
      let to = hexadecimal(text, &position)
      if from <= address, address < to {
        while position < end, text[position] != UInt8(ascii: "/") { position += 1 }
        return position < end ? UnsafeRawBufferPointer(rebasing: text[position..<end]) : nil
      }
      start = end + 1
    }
    return nil
  }

  private static func hexadecimal(_ text: UnsafeRawBufferPointer, _ position: inout Int) -> UInt {
    var value: UInt = 0
    while position < text.count {
      switch text[position] {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt(text[position] - UInt8(ascii: "0"))
      case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | UInt(text[position] - UInt8(ascii: "a") + 10)
      default: return value
      }
      position += 1
    }
    return value
  }
}

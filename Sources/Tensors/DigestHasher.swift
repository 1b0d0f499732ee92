import CKernels
import Crypto

/// SHA-256 over bytes that come in pieces.
///
/// By the processor's instructions where they are known, since several messages at the same time then take less than
/// twice the time of one.
public struct DigestHasher {
  private var message = errata_sha256()
  /// Where the processor does not have the instructions.
  private var portable: SHA256?

  private static let isFast = errata_sha256_is_there() != 0
  /// Of so many messages at the same time, each takes the least.
  public static let messagesAtOnce = 3

  public init() { self.init(isPortable: !Self.isFast) }

  init(isPortable: Bool) {
    if isPortable { portable = SHA256() } else { errata_sha256_begin(&message) }
  }

  public mutating func update(_ bytes: UnsafeRawBufferPointer) {
    if portable != nil {
      portable!.update(bufferPointer: bytes)
    } else {
      withUnsafeMutablePointer(to: &message) { Self.update([$0], [bytes]) }
    }
  }

  public mutating func update(_ bytes: [UInt8]) {
    bytes.withUnsafeBytes { update($0) }
  }

  public mutating func update(_ text: String) {
    update(Array(text.utf8))
  }

  /// Takes the next bytes of several messages, a piece for each: for less than one after the other.
  public static func update(_ hashers: inout [DigestHasher], _ pieces: [UnsafeRawBufferPointer]) {
    precondition(hashers.count == pieces.count)
    guard hashers.allSatisfy({ $0.portable == nil }) else {
      for index in hashers.indices { hashers[index].update(pieces[index]) }
      return
    }
    var messages = hashers.map(\.message)
    messages.withUnsafeMutableBufferPointer { messages in
      update(messages.indices.map { messages.baseAddress! + $0 }, pieces)
    }
    for index in hashers.indices { hashers[index].message = messages[index] }
  }

  private static func update(_ messages: [UnsafeMutablePointer<errata_sha256>], _ pieces: [UnsafeRawBufferPointer]) {
    var messages = messages.map(Optional.some)
    var starts = pieces.map { $0.baseAddress?.assumingMemoryBound(to: UInt8.self) }
    errata_sha256_update(&messages, &starts, pieces.map(\.count), messages.count)
  }

  public func finalize() -> Digest {
    if let portable { return Digest(bytes: Array(portable.finalize())) }
    var message = message
    var bytes = [UInt8](repeating: 0, count: 32)
    errata_sha256_finish(&message, &bytes)
    return Digest(bytes: bytes)
  }
}

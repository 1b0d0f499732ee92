import Tensors

/// The frames around a patch's content (Spec: frame layout).
enum PatchContainer {
  /// The least significant byte of a frame's magic number is a letter: W begins a patch, S signs it, Z ends it.
  static let magicMagicNumber: UInt32 = 0x184D_2A57
  static let signatureMagicNumber: UInt32 = 0x184D_2A53
  static let sealMagicNumber: UInt32 = 0x184D_2A5A

  static let magicTextPrefix = FileKind.patchText
  /// The same number of bytes for every format.
  static func magicFrame(format: Int) -> [UInt8] {
    ZstdFrame.skippable(magicNumber: magicMagicNumber, payload: Array("\(magicTextPrefix)\(format)\n".utf8))
  }
  static let magicFrame = magicFrame(format: 1)

  static let sealByteCount = 8 + 32

  /// The last frame: SHA-256 of all the bytes before it.
  static func seal(_ digest: Digest) -> [UInt8] {
    ZstdFrame.skippable(magicNumber: sealMagicNumber, payload: digest.bytes)
  }

  /// The signature frames with these payloads, one after another.
  static func signatureFrames(_ payloads: [[UInt8]]) -> [UInt8] {
    payloads.flatMap { ZstdFrame.skippable(magicNumber: signatureMagicNumber, payload: $0) }
  }

  /// The key of the manifest in `__metadata__`.
  static let manifestKey: ByteString = "wpatch"

  /// A tensor's bytes are cut into pieces of this size, the last one excepted; each is the content of one frame.
  static let pieceByteCount = 4 << 20

  /// The pieces of a tensor, as ranges of its bytes.
  static func pieces(byteCount: Int) -> [Range<Int>] {
    stride(from: 0, to: byteCount, by: pieceByteCount).map { $0..<min($0 + pieceByteCount, byteCount) }
  }
}

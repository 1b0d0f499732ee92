import CZstd
import Tensors

/// One frame of a zstd stream, found but not decompressed.
struct ZstdFrame {
  /// Where it lies in the stream.
  let range: Range<Int>
  /// nil for a skippable frame.
  let contentByteCount: Int?
}

/// Why bytes are not the frame that is expected, in zstd's words or ours.
struct ZstdError: Error {
  let reason: String
}

extension ZstdFrame {
  static let magicNumber: UInt32 = 0xFD2F_B528
  /// Skippable frames begin with one of sixteen magic numbers, 0x184D2A50 to 0x184D2A5F.
  static func isSkippable(_ magicNumber: UInt32) -> Bool { magicNumber & 0xFFFF_FFF0 == 0x184D_2A50 }

  /// Finds the data frame at `offset`. The frame must state its content size and carry a checksum.
  ///
  /// - Throws: `ZstdError` if there is none, or if it is cut off.
  static func data(in bytes: UnsafeRawBufferPointer, at offset: Int) throws(ZstdError) -> ZstdFrame {
    let rest = UnsafeRawBufferPointer(rebasing: bytes[offset...])
    guard rest.count > 4, UInt32(littleEndian: rest.loadUnaligned(as: UInt32.self)) == magicNumber else {
      throw ZstdError(reason: "a zstd frame is expected")
    }
    // Bit 2 of the frame header descriptor (RFC 8878, 3.1.1.1.1).
    guard rest[4] & 4 != 0 else { throw ZstdError(reason: "the zstd frame has no checksum") }
    // The two largest values say "unknown" and "error".
    guard let content = Int(exactly: ZSTD_getFrameContentSize(rest.baseAddress, rest.count)) else {
      throw ZstdError(reason: "the zstd frame does not state its content size")
    }
    let count = try checked(ZSTD_findFrameCompressedSize(rest.baseAddress, rest.count))
    return ZstdFrame(range: offset..<offset + count, contentByteCount: content)
  }

  /// Finds the skippable frame at `offset`; nil if there is another kind of frame, or nothing, or it is cut off.
  static func skippable(in bytes: UnsafeRawBufferPointer, at offset: Int, magicNumber: UInt32) -> ZstdFrame? {
    guard bytes.count - offset >= 8,
      UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)) == magicNumber
    else { return nil }
    let payload = Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset + 4, as: UInt32.self)))
    guard payload <= bytes.count - offset - 8 else { return nil }
    return ZstdFrame(range: offset..<offset + 8 + payload, contentByteCount: nil)
  }

  /// A whole skippable frame.
  static func skippable(magicNumber: UInt32, payload: [UInt8]) -> [UInt8] {
    precondition(isSkippable(magicNumber))
    return withUnsafeBytes(of: magicNumber.littleEndian, Array.init)
      + withUnsafeBytes(of: UInt32(payload.count).littleEndian, Array.init) + payload
  }

  fileprivate static func checked(_ result: Int) throws(ZstdError) -> Int {
    guard ZSTD_isError(result) == 0 else {
      throw ZstdError(reason: String(cString: ZSTD_getErrorName(result)).lowercased())
    }
    return result
  }
}

/// Makes data frames that state their content size and carry a checksum.
final class ZstdCompressor {
  private let context: OpaquePointer

  /// - Parameter level: zstd's compression level, 1 to 22.
  init(level: Int32) {
    context = ZSTD_createCCtx()
    ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level)
    ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)
  }

  deinit { ZSTD_freeCCtx(context) }

  /// One frame with all of `content`.
  func frame(_ content: UnsafeRawBufferPointer) throws(ZstdError) -> [UInt8] {
    var result = [UInt8](repeating: 0, count: ZSTD_compressBound(content.count))
    let written = result.withUnsafeMutableBytes {
      ZSTD_compress2(context, $0.baseAddress, $0.count, content.baseAddress, content.count)
    }
    result.removeLast(result.count - (try ZstdFrame.checked(written)))
    return result
  }
}

/// Decompresses frames one at a time, each into a buffer of the size that its content must have.
final class ZstdDecompressor {
  private let context: OpaquePointer

  init() { context = ZSTD_createDCtx() }

  deinit { ZSTD_freeDCtx(context) }

  /// Fills `destination` with the content of `frame`, whose checksum is verified.
  ///
  /// - Throws: `ZstdError` if the frame is damaged or does not hold exactly that many bytes.
  func decompress(
    _ frame: ZstdFrame, of bytes: UnsafeRawBufferPointer, into destination: UnsafeMutableRawBufferPointer
  ) throws(ZstdError) {
    let source = UnsafeRawBufferPointer(rebasing: bytes[frame.range])
    let count = try ZstdFrame.checked(
      ZSTD_decompressDCtx(context, destination.baseAddress, destination.count, source.baseAddress, source.count))
    guard count == destination.count else { throw ZstdError(reason: "the zstd frame holds less than it should") }
  }
}

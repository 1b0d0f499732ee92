import Foundation
import Safetensors
import Tensors

/// Reads a `.wpatch` file. Opening it verifies the seal and reads the manifest; `check` decompresses and checks the
/// rest, a piece at a time; `factors` and `read` give what the patch holds.
///
/// The file is hostile input: every size is checked before anything is allocated for it, and whatever does not follow
/// Spec/wpatch.md is an error of category `damagedInput`.
public final class PatchReader: @unchecked Sendable {
  /// The file's path.
  public let source: String
  /// The size of the file.
  public let byteCount: Int
  public let manifest: Manifest
  /// The manifest's text, byte for byte.
  public let manifestText: ByteString
  /// The payloads of the signature frames.
  public let signatures: [[UInt8]]
  public let header: SafetensorsHeader

  let layout: PatchLayout
  let bytes: UnsafeRawBufferPointer
  /// Keeps `bytes` alive; nil if the caller does.
  private let file: MappedFile?
  /// Per tensor its frames.
  let frames: [ByteString: [ZstdFrame]]

  /// Reads the file as it lies there: who changes it meanwhile changes what is read. That is for listing what a patch
  /// says; where bytes or trust depend on it, `init(copying:)` is.
  ///
  /// - Parameter checksSeal: whether all bytes are compared with the seal. Without that, only for a program that lists
  ///   what the manifest says, and says that it did no more; `check` and what follows it need the seal.
  /// - Throws: an `ErrataError` if the file cannot be read, or is damaged in a way that can be seen without
  ///   decompressing its tensors.
  public convenience init(path: String, limits: PatchLimits = PatchLimits(), checksSeal: Bool = true) throws {
    try Self.checkIsNoDirectory(path)
    let file = try MappedFile(path: path)
    do {
      try self.init(bytes: file.bytes, file: file, source: path, limits: limits, checksSeal: checksSeal)
    } catch {
      throw ErrataError.recognized(path, file.bytes, wanted: FileKind.patchNoun) ?? error
    }
  }

  /// Reads a copy of the file, or of what comes from a pipe, that nobody else has: what is checked is what is used.
  ///
  /// - Parameters:
  ///   - path: `-` is standard input.
  ///   - folder: on whose file system the copy is made, without a name; by default, where temporary files are.
  /// - Throws: as `init(path:)`; also if the copy cannot be made.
  public convenience init(copying path: String, near folder: String? = nil, limits: PatchLimits = PatchLimits()) throws
  {
    try Self.checkIsNoDirectory(path)
    let file: MappedFile
    do {
      file = try PrivateCopy.map(path: path, near: folder, limit: limits.fileByteCount) {
        try Self.checkMagic($0, path == "-" ? InputStreams.standardInput : path)
      }
    } catch {
      guard let other = try? MappedFile(path: path) else { throw error }
      throw ErrataError.recognized(path, other.bytes, wanted: FileKind.patchNoun) ?? error
    }
    do {
      try self.init(bytes: file.bytes, file: file, source: file.path, limits: limits)
    } catch {
      throw ErrataError.recognized(path, file.bytes, wanted: FileKind.patchNoun) ?? error
    }
  }

  /// The same of a file in a ledger.
  package convenience init(copying path: AnchoredPath, near folder: String?) throws {
    let input = try path.open()
    defer { close(input) }
    let limits = PatchLimits()
    let file = try PrivateCopy.map(input, path: path.path, near: folder, limit: limits.fileByteCount) {
      try Self.checkMagic($0, path.path)
    }
    try self.init(bytes: file.bytes, file: file, source: path.path, limits: limits)
  }

  /// - Parameter file: keeps `bytes`, all of its bytes, alive; the caller does if it is nil.
  init(
    bytes: UnsafeRawBufferPointer, file: MappedFile? = nil, source: String, limits: PatchLimits = PatchLimits(),
    checksSeal: Bool = true
  ) throws {
    self.bytes = bytes
    self.file = file
    self.source = source
    byteCount = bytes.count
    try Self.checkMagic(bytes, source)
    let (end, seal) = try Self.findSeal(bytes, source)
    if checksSeal {
      let digest = file.map { $0.digest(of: 0..<end) } ?? Digest(of: UnsafeRawBufferPointer(rebasing: bytes[..<end]))
      guard digest == seal else { throw ErrataError.brokenSeal(source) }
    }
    let body = UnsafeRawBufferPointer(rebasing: bytes[..<end])

    var frames = FrameSequence(bytes: body, offset: PatchContainer.magicFrame.count, source: source)
    header = try Self.readHeader(&frames, limits)
    guard let text = header.metadata[PatchContainer.manifestKey] else { throw ErrataError.noManifest(source) }
    manifestText = text
    manifest = try Manifest(parsing: text.bytes, source: source)
    guard bytes.starts(with: PatchContainer.magicFrame(format: manifest.format)) else {
      throw ErrataError.formatsDiffer(source, manifest: manifest.format)
    }
    layout = try PatchLayout(header: header, manifest: manifest, source: source)
    var framesOfTensors: [ByteString: [ZstdFrame]] = [:]
    for tensor in header.tensors {
      framesOfTensors[tensor.name] = try PatchContainer.pieces(byteCount: tensor.byteCount).map { piece in
        try frames.next(contentByteCount: piece.count)
      }
    }
    self.frames = framesOfTensors
    signatures = try frames.signatures(limits)
    // Finding the frames touched them all.
    file?.release(bytes.indices)
  }

  /// Lets go of the memory that holds some bytes of the file; they stay readable.
  func release(_ range: Range<Int>) { file?.release(range) }

  /// Decompresses a tensor piece by piece.
  ///
  /// - Parameter body: takes the pieces in order; each stands in memory only until `body` returns.
  /// - Throws: an `ErrataError` of category `damagedInput` at a frame that is damaged; what `body` throws.
  func forEachPiece(
    of tensor: TensorInfo, _ decompressor: ZstdDecompressor, _ body: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    let pieces = zip(frames[tensor.name]!, PatchContainer.pieces(byteCount: tensor.byteCount))
    let buffer = UnsafeMutableRawBufferPointer.allocate(
      byteCount: min(tensor.byteCount, PatchContainer.pieceByteCount), alignment: 64)
    defer { buffer.deallocate() }
    for (frame, piece) in pieces {
      let content = UnsafeMutableRawBufferPointer(rebasing: buffer[..<piece.count])
      do {
        try decompressor.decompress(frame, of: bytes, into: content)
      } catch {
        throw ErrataError.damagedFrame(source, offset: frame.range.lowerBound, reason: error.reason)
      }
      file?.release(frame.range)
      try body(UnsafeRawBufferPointer(content))
    }
  }
}

// MARK: - Opening

extension PatchReader {
  private static func checkIsNoDirectory(_ path: String) throws {
    var isDirectory: ObjCBool = false
    if FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory), isDirectory.boolValue {
      throw ErrataError.directoryForPatch(path)
    }
  }

  private static func checkMagic(_ bytes: UnsafeRawBufferPointer, _ source: String) throws {
    if Manifest.formatVersions.contains(where: { bytes.starts(with: PatchContainer.magicFrame(format: $0)) }) { return }
    let magic = PatchContainer.magicFrame
    let prefix = 8 + PatchContainer.magicTextPrefix.utf8.count
    if bytes.count >= magic.count, bytes.prefix(prefix).elementsEqual(magic.prefix(prefix)) {
      let digits = bytes[prefix...].prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }.prefix(6)
      if !digits.isEmpty { throw ErrataError.newerFormat(source, String(decoding: digits, as: UTF8.self)) }
    }
    throw ErrataError.notAPatch(source)
  }

  /// Where the seal begins, and everything that it covers ends; and what it says.
  private static func findSeal(_ bytes: UnsafeRawBufferPointer, _ source: String) throws -> (start: Int, digest: Digest)
  {
    let start = bytes.count - PatchContainer.sealByteCount
    guard start >= PatchContainer.magicFrame.count,
      let frame = ZstdFrame.skippable(in: bytes, at: start, magicNumber: PatchContainer.sealMagicNumber),
      frame.range.upperBound == bytes.count
    else { throw ErrataError.noSeal(source) }
    return (start, Digest(bytes: Array(bytes[(start + 8)...])))
  }

  private static func readHeader(_ frames: inout FrameSequence, _ limits: PatchLimits) throws -> SafetensorsHeader {
    let source = frames.source
    let frame = try frames.next()
    let count = frame.contentByteCount!
    try limits.check(headerByteCount: count, source: source)
    var content = [UInt8](repeating: 0, count: count)
    do {
      try content.withUnsafeMutableBytes { try ZstdDecompressor().decompress(frame, of: frames.bytes, into: $0) }
    } catch let error as ZstdError {
      throw ErrataError.damagedFrame(source, offset: frame.range.lowerBound, reason: error.reason)
    }
    let header = try SafetensorsHeader(bytes: content, source: source)
    try limits.check(contentByteCount: header.fileByteCount, ofFile: frames.bytes.count, source: source)
    return header
  }
}

/// The frames of a patch between magic and seal, one after another.
private struct FrameSequence {
  let bytes: UnsafeRawBufferPointer
  var offset: Int
  let source: String

  /// The next data frame, not decompressed.
  ///
  /// - Parameter contentByteCount: what it must state as its size; anything if nil.
  mutating func next(contentByteCount: Int? = nil) throws -> ZstdFrame {
    let frame: ZstdFrame
    do {
      frame = try ZstdFrame.data(in: bytes, at: offset)
    } catch {
      throw ErrataError.damagedFrame(source, offset: offset, reason: error.reason)
    }
    if let contentByteCount, frame.contentByteCount != contentByteCount {
      throw ErrataError.frameSizeDiffers(
        source, offset: offset, expected: contentByteCount, found: frame.contentByteCount!)
    }
    offset = frame.range.upperBound
    return frame
  }

  /// The payloads of the signature frames, which must be all that is left.
  mutating func signatures(_ limits: PatchLimits) throws -> [[UInt8]] {
    var result: [[UInt8]] = []
    while offset < bytes.count {
      guard
        let frame = ZstdFrame.skippable(in: bytes, at: offset, magicNumber: PatchContainer.signatureMagicNumber)
      else {
        throw ErrataError.damagedFrame(
          source, offset: offset, reason: "only signatures and the seal may follow the tensors")
      }
      result.append(Array(bytes[frame.range].dropFirst(8)))
      try limits.check(signatures: result, source: source)
      offset = frame.range.upperBound
    }
    return result
  }
}

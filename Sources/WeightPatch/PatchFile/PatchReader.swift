import Safetensors
import Tensors

/// Reads a `.wpatch` file. Opening it verifies the seal and reads the manifest; `read` decompresses and checks the rest.
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

  /// The whole file.
  let bytes: UnsafeRawBufferPointer
  private let owner: AnyObject?
  private let layout: PatchLayout
  /// Per tensor its frames.
  private let frames: [ByteString: [ZstdFrame]]

  /// - Throws: an `ErrataError` if the file cannot be read, or is damaged in a way that can be seen without
  ///   decompressing its tensors.
  public convenience init(path: String, limits: PatchLimits = PatchLimits()) throws {
    let file = try MappedFile(path: path)
    try self.init(bytes: file.bytes, owner: file, source: path, limits: limits)
  }

  /// - Parameter owner: keeps `bytes` alive; the caller does if it is nil.
  init(bytes: UnsafeRawBufferPointer, owner: AnyObject?, source: String, limits: PatchLimits = PatchLimits()) throws {
    self.bytes = bytes
    self.owner = owner
    self.source = source
    byteCount = bytes.count
    try Self.checkMagic(bytes, source)
    let end = try Self.checkSeal(bytes, source)
    let body = UnsafeRawBufferPointer(rebasing: bytes[..<end])

    var frames = FrameSequence(bytes: body, offset: PatchContainer.magicFrame.count, source: source)
    header = try Self.readHeader(&frames, limits)
    guard let text = header.metadata[PatchContainer.manifestKey] else { throw ErrataError.noManifest(source) }
    manifestText = text
    manifest = try Manifest(parsing: text.bytes, source: source)
    layout = try PatchLayout(header: header, manifest: manifest, source: source)
    var framesOfTensors: [ByteString: [ZstdFrame]] = [:]
    for tensor in header.tensors {
      framesOfTensors[tensor.name] = try PatchContainer.pieces(byteCount: tensor.byteCount).map { piece in
        try frames.next(contentByteCount: piece.count)
      }
    }
    self.frames = framesOfTensors
    signatures = try frames.signatures(limits)
  }

  /// Decompresses everything and checks what opening could not: checksums, digests of the batches, finite values.
  ///
  /// - Throws: an `ErrataError` of category `damagedInput`.
  public func read() throws -> Patch {
    let decompressor = ZstdDecompressor()
    var hasher = DigestHasher()
    hasher.update(header.bytes)
    var contents: [ByteString: BatchTensor] = [:]
    for tensor in header.tensors {
      let content = try bytes(of: tensor, decompressor)
      hasher.update(content)
      let name = ByteString(tensor.name.bytes.drop { $0 != UInt8(ascii: "/") }.dropFirst())
      contents[tensor.name] = BatchTensor(name: name, dtype: tensor.dtype, shape: tensor.shape, bytes: content)
    }
    let batches = try layout.batches.indices.map { try batch($0, contents) }
    return Patch(identifier: hasher.finalize(), manifest: manifest, batches: batches)
  }

  /// The content of a tensor's frames.
  func bytes(of tensor: TensorInfo, _ decompressor: ZstdDecompressor) throws -> [UInt8] {
    var content = [UInt8](repeating: 0, count: tensor.byteCount)
    try content.withUnsafeMutableBytes { content in
      for (frame, piece) in zip(frames[tensor.name]!, PatchContainer.pieces(byteCount: tensor.byteCount)) {
        do {
          try decompressor.decompress(frame, of: bytes, into: UnsafeMutableRawBufferPointer(rebasing: content[piece]))
        } catch let error as ZstdError {
          throw ErrataError.damagedFrame(source, offset: frame.range.lowerBound, reason: error.reason)
        }
      }
    }
    return content
  }

  private func batch(_ index: Int, _ contents: [ByteString: BatchTensor]) throws -> EditBatch {
    let weights = layout.batches[index]
    let tensors = weights.flatMap { $0.tensors.values }.map { contents[$0.name]! }
    guard digestOfBatch(tensors) == manifest.batches[index].digest else {
      throw ErrataError.batchDigestDiffers(source, index)
    }
    return EditBatch(
      tensors: try weights.map { parts in
        let left = try factor(.left, .columns, parts, contents)!
        let right = try factor(.right, .rows, parts, contents)!
        return LowRankFactors(
          name: parts.weight, isTransposed: manifest.base.tensors[parts.weight]!.isTransposed, left: left, right: right,
          gram: try gram(parts, size: right.rows, contents), keys: try factor(.keys, .rows, parts, contents))
      })
  }

  private func factor(
    _ part: PatchTensorName.Part, _ facts: FactAxis, _ parts: PatchLayout.Parts, _ contents: [ByteString: BatchTensor]
  ) throws -> StoredFactor? {
    guard let info = parts[part], let tensor = contents[info.name] else { return nil }
    let exponents = part.exponents.flatMap { parts[$0] }.flatMap { contents[$0.name] }
    let factor = StoredFactor(
      dtype: tensor.dtype, rows: tensor.shape.extents[0], columns: tensor.shape.extents[1], bytes: tensor.bytes,
      exponents: exponents?.bytes.map(Int8.init(bitPattern:)))
    guard factor.values(facts: facts) != nil else {
      throw ErrataError.patchTensor(source, info.name, "has a value that is not a finite float32 number")
    }
    return factor
  }

  private func gram(
    _ parts: PatchLayout.Parts, size: Int, _ contents: [ByteString: BatchTensor]
  ) throws -> Matrix<Double>? {
    guard let info = parts[.gram], let tensor = contents[info.name] else { return nil }
    let packed = tensor.bytes.withUnsafeBytes { bytes in
      (0..<info.elementCount).map { bytes.loadUnaligned(fromByteOffset: $0 * 8, as: Double.self) }
    }
    guard packed.allSatisfy(\.isFinite) else {
      throw ErrataError.patchTensor(source, info.name, "has a value that is not finite")
    }
    return symmetricMatrix(packed: packed, size: size)
  }
}

// MARK: - Opening

extension PatchReader {
  private static func checkMagic(_ bytes: UnsafeRawBufferPointer, _ source: String) throws {
    let magic = PatchContainer.magicFrame
    if bytes.starts(with: magic) { return }
    let prefix = 8 + PatchContainer.magicTextPrefix.utf8.count
    if bytes.count >= magic.count, bytes.prefix(prefix).elementsEqual(magic.prefix(prefix)) {
      let digits = bytes[prefix...].prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }.prefix(6)
      if !digits.isEmpty { throw ErrataError.newerFormat(source, String(decoding: digits, as: UTF8.self)) }
    }
    throw ErrataError.notAPatch(source)
  }

  /// Where the seal begins, and everything that it covers ends.
  private static func checkSeal(_ bytes: UnsafeRawBufferPointer, _ source: String) throws -> Int {
    let start = bytes.count - PatchContainer.sealByteCount
    guard start >= PatchContainer.magicFrame.count,
      let frame = ZstdFrame.skippable(in: bytes, at: start, magicNumber: PatchContainer.sealMagicNumber),
      frame.range.upperBound == bytes.count
    else { throw ErrataError.noSeal(source) }
    let digest = Digest(of: UnsafeRawBufferPointer(rebasing: bytes[..<start]))
    guard digest.bytes.elementsEqual(bytes[(start + 8)...]) else {
      throw ErrataError.brokenSeal(source)
    }
    return start
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

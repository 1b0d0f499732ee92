import Foundation
import Safetensors
import Tensors

@testable import CheckpointLedger
@testable import WeightPatch

func readSafetensors(_ bytes: UnsafeRawBufferPointer) throws {
  let header = try SafetensorsHeader(file: bytes, source: "input")
  // What the checks promise: every tensor lies in the file, and they fill it.
  var end = header.bytes.count
  for tensor in header.tensors {
    precondition(tensor.fileRange.lowerBound == end && header[tensor.name] == tensor)
    precondition(tensor.dtype.byteCount(elementCount: tensor.elementCount) == tensor.byteCount)
    end = tensor.fileRange.upperBound
  }
  precondition(end == bytes.count)
}

func readManifest(_ bytes: UnsafeRawBufferPointer) throws {
  let manifest = try Manifest(parsing: Array(bytes), source: "input")
  // Numbers may be written in another way; what is read again is the same.
  precondition(try! Manifest(parsing: manifest.serialized(), source: "again") == manifest)
}

/// - Parameter bytes: a patch; its first frame and its last are replaced by those that fit.
func readFrames(_ bytes: UnsafeRawBufferPointer) throws {
  let count = PatchContainer.magicFrame.count
  guard bytes.count >= count + PatchContainer.sealByteCount else { return }
  // The digit of the format is the input's.
  let magic = PatchContainer.magicFrame(format: bytes[count - 2] == UInt8(ascii: "2") ? 2 : 1)
  try readSealed(magic + bytes[magic.count..<bytes.count - PatchContainer.sealByteCount])
}

/// - Parameter bytes: the content of a patch, not compressed.
func readContent(_ bytes: UnsafeRawBufferPointer) throws {
  let count = try SafetensorsHeader.byteCount(startingWith: bytes, source: "input")
  guard count <= bytes.count else { return }
  let header = try SafetensorsHeader(bytes: Array(bytes[..<count]), source: "input")
  // The fuzzer need not find out how long the tensors are: what is missing is zeros.
  guard header.fileByteCount < 1 << 20 else { return }
  let content = Array(bytes) + [UInt8](repeating: 0, count: max(0, header.fileByteCount - bytes.count))
  let compressor = ZstdCompressor(level: 1)
  // As the manifest says.
  let text = header.metadata[PatchContainer.manifestKey].map { String(decoding: $0.bytes, as: UTF8.self) }
  var body = PatchContainer.magicFrame(format: text?.contains(#""format":2"#) == true ? 2 : 1)
  body += try header.bytes.withUnsafeBytes(compressor.frame)
  for tensor in header.tensors {
    for piece in PatchContainer.pieces(byteCount: tensor.byteCount) {
      let start = tensor.fileRange.lowerBound + piece.lowerBound
      body += try content[start..<start + piece.count].withUnsafeBytes(compressor.frame)
    }
  }
  try readSealed(body)
}

private func readSealed(_ body: [UInt8]) throws {
  let sealed = body + PatchContainer.seal(Digest(of: body))
  let patch = try sealed.withUnsafeBytes { try PatchReader(bytes: $0, source: "input").read() }
  // What `errata show` computes of a patch that was read.
  for (batch, description) in zip(patch.batches, patch.manifest.batches) {
    for factors in batch.tensors where factors.rank <= 64 && factors.outputSize * factors.inputSize <= 1 << 16 {
      _ = (
        factors.deltaNorm(), factors.memorization(slack: description.slack(of: factors.name)),
        factors.preservation(ridge: description.ridge(of: factors.name) ?? 0, metric: description.metric)
      )
    }
  }
}

/// - Parameter bytes: an undo record.
func readUndoRecord(_ bytes: UnsafeRawBufferPointer) throws {
  let record = try withFile(bytes) { try UndoRecord(MappedFile(path: $0)) }
  let format = StoredFormat(record.dtype)!
  guard record.elementCount <= 1 << 12 else { return }
  for index in 0..<record.chunks.count {
    let elements = record.chunks[index]
    let stream = record.stream(index)
    // Edited values and changes of all magnitudes, finite and from a fixed pattern that the record's last digest
    // varies.
    var random = UInt64(record.currentDigest.bytes[0]) &+ 1
    func next() -> UInt64 {
      random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return random >> 16
    }
    let current: [UInt8] = elements.flatMap { _ in
      let magnitude = UInt32(truncatingIfNeeded: next()) % UInt32(format.infinity)
      return withUnsafeBytes(of: magnitude.littleEndian) { Array($0.prefix(format.width)) }
    }
    let delta = elements.map { _ in
      Double(sign: next() & 1 == 0 ? .plus : .minus, exponent: Int(next() % 300) - 200, significand: 1.37)
    }
    var base = [UInt8](repeating: 0, count: current.count)
    var open = OpenElements(delta.indices, columns: delta.count, format: format)
    open.find(delta.indices, current: current, delta: delta, into: &base)
    _ = UndoCoding(format: format).decode(stream, open, into: &base)
  }
}

func readLedger(_ bytes: UnsafeRawBufferPointer) throws {
  let ledger = try withFile(bytes) { try Ledger(MappedFile(path: $0)) }
  let again = try! ledger.serialized().withUnsafeBytes { bytes in
    try withFile(bytes) { try Ledger(MappedFile(path: $0)) }
  }
  precondition(again == ledger)
}

func readJournal(_ bytes: UnsafeRawBufferPointer) throws {
  _ = try withFile(bytes) { try InPlaceJournal(MappedFile(path: $0)) }
}

/// Calls `body` with the path of a file that holds `bytes`; it may map the file, which then stays readable.
private func withFile<Value>(_ bytes: UnsafeRawBufferPointer, _ body: (String) throws -> Value) throws -> Value {
  // In memory where the system has such a place.
  let folder = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"
  let path = "\(folder)/errata-fuzz-\(getpid())"
  let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL, 0o600)
  precondition(descriptor >= 0 && write(descriptor, bytes.baseAddress, bytes.count) == bytes.count)
  close(descriptor)
  defer { unlink(path) }
  return try body(path)
}

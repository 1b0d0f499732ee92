import Synchronization
import Tensors

/// A patch file that was found to be whole. What it holds stays on disk until it is asked for, so that a patch may be
/// larger than memory; it is read from a copy that nobody else has, so that it is what was checked.
public struct PatchFile: Sendable {
  public let path: String
  /// The patch ID.
  public let identifier: Digest
  /// The payloads of its signature frames; those that it is to have, if they were changed.
  package var signatures: [[UInt8]]
  package let reader: PatchReader
  private let loaded = Loaded()

  /// Copies the file, or what comes from a pipe, and checks everything that can be checked of a patch.
  ///
  /// - Parameter folder: on whose file system the copy is made: where something will be written.
  /// - Throws: an `ErrataError` if the file cannot be read or copied, or is damaged.
  public init(path: String, near folder: String? = nil) throws {
    try self.init(PatchReader(copying: path, near: folder))
  }

  /// The same of a file that was opened already, with its seal checked.
  public init(_ reader: PatchReader) throws {
    path = reader.source
    self.reader = reader
    identifier = try reader.check()
    signatures = reader.signatures
  }

  /// Whether the signatures are not those that are in the file.
  package var hasOtherSignatures: Bool { signatures != reader.signatures }

  public var name: String { String(path.split(separator: "/").last ?? "") }
  public var manifest: Manifest { reader.manifest }

  /// The whole patch in memory, loaded when it is first asked for.
  ///
  /// The file was whole when it was opened. Whoever changes it after that, if it is not a copy, ends this process.
  public var patch: Patch {
    loaded.patch.withLock { patch in
      if let patch { return patch }
      do {
        let read = try reader.readChecked(identifier: identifier)
        patch = read
        return read
      } catch {
        fatalError("\(path) was changed while it was read")
      }
    }
  }

  private final class Loaded: Sendable {
    let patch = Mutex<Patch?>(nil)
  }
}

extension PatchFile {
  package var batchDigests: Set<Digest> { Set(manifest.batches.map(\.digest)) }

  /// The weights that batch `index` edits.
  func weights(ofBatch index: Int) -> [ByteString] { reader.layout.batches[index].map(\.weight) }

  /// Those of them for which it has a correction.
  func correctedWeights(ofBatch index: Int) -> [ByteString] {
    reader.layout.batches[index].filter { $0[.correction] != nil }.map(\.weight)
  }

  /// The factors that batch `index` has for a weight, read from the file, without what exact apply does not need; nil
  /// if it does not edit it.
  ///
  /// - Throws: an `ErrataError` if the file was damaged in the meantime.
  func factors(of weight: ByteString, inBatch index: Int) throws -> LowRankFactors? {
    try reader.factors(of: weight, inBatch: index)
  }

  /// How many bytes `factors` reads.
  func factorByteCount(of weight: ByteString, inBatch index: Int) -> Int {
    reader.layout.parts(of: weight, inBatch: index)?.appliedByteCount ?? 0
  }

  /// What it does, for people: `10 facts in 3 tensors`.
  public var extent: String { reader.extent }
}

extension PatchReader {
  /// What the patch does, for people: `10 facts in 3 tensors`.
  public var extent: String { manifest.extent(termCount: layout.termCounts.reduce(0, +)) }
}

extension Patch {
  /// What it does, for people: `10 facts in 3 tensors`.
  public var extent: String { manifest.extent(termCount: batches.reduce(0) { $0 + $1.factCount }) }
}

extension Manifest {
  fileprivate func extent(termCount: Int) -> String {
    let what = factCount > 0 ? count(factCount, "fact") : termCount > 0 ? count(termCount, "term") : "corrections"
    return what + " in " + count(base.tensors.count, "tensor")
  }

  private func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }
}

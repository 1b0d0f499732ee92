import Foundation
import Safetensors
import Tensors

extension InPlaceJournal {
  /// The tensors of a change that has begun, in its order.
  ///
  /// - Throws: an `ErrataError` (damaged input) if the checkpoint has no such tensor.
  func tensors(of checkpoint: Checkpoint, _ location: LedgerLocation) throws -> [StoredTensor] {
    try changes.map { change in
      // By a tensor's name a journal reaches no header, and no file but the checkpoint's weights.
      guard let tensor = try? checkpoint.tensor(named: change.tensor) else {
        throw ErrataError.damagedJournal(Self.manifest(in: location.change.journal))
      }
      return tensor
    }
  }

  /// Puts back what the checkpoint's tensors held before a change that has begun; they are on disk when this returns.
  ///
  /// - Throws: an `ErrataError`: damaged input, if what they held cannot be found.
  static func restore(_ checkpoint: Checkpoint, _ location: LedgerLocation) throws {
    let change = location.change
    let path = manifest(in: change.journal)
    let journal = try InPlaceJournal(path: path)
    let tensors = try journal.tensors(of: checkpoint, location)
    let hasLedger = FileManager.default.fileExists(atPath: location.directory)
    let ledger = hasLedger ? try Ledger(path: location.manifest) : Ledger()
    let old = BatchSet(try ledger.patches.map { try location.openPatch($0.patch) })
    let new = BatchSet(try journal.patches.map { try change.openPatch($0) })
    var writers: [String: FileRegionWriter] = [:]
    for (index, tensor) in tensors.enumerated() {
      let records = try MappedFile(path: chunks(of: index, in: change.journal))
      guard !records.bytes.isEmpty else { continue }
      let writer = try writers[tensor.file.path] ?? FileRegionWriter(path: tensor.file.path)
      writers[tensor.file.path] = writer
      let transition = try TensorTransition(
        tensor, from: old.factors(of: tensor.name).map(\.1), to: new.factors(of: tensor.name).map(\.1),
        base: journal.changes[index].base, location: location)
      try restore(transition, ChunkRecord.all(in: records), writer, path) { chunk($0, of: index, in: change.journal) }
      withExtendedLifetime(records) {}
    }
    for writer in writers.values { try writer.synchronize() }
    for (entry, tensor) in zip(journal.changes, tensors) where tensor.digest() != entry.before {
      throw ErrataError.damagedJournal(path)
    }
  }

  /// - Parameter kept: where a torn chunk's old bytes are kept.
  private static func restore(
    _ transition: TensorTransition, _ records: [ChunkRecord], _ writer: FileRegionWriter, _ path: String,
    kept: @Sendable (Int) -> String
  ) throws {
    let tensor = transition.tensor
    let width = transition.old.format.width
    let starts = records.reduce(into: [0]) { $0.append($0.last! + $1.elementCount) }
    guard starts.last! <= transition.old.elementCount, starts.count <= transition.chunks.count + 1 else {
      throw ErrataError.damagedJournal(path)
    }
    nonisolated(unsafe) let records = records
    let group = 4 * ProcessInfo.processInfo.activeProcessorCount
    for first in stride(from: 0, to: records.count, by: group) {
      let chunks = first..<min(first + group, records.count)
      let found = try concurrentMap(chunks) { chunk -> (now: [UInt8], ChunkRecovery.Result) in
        let elements = starts[chunk]..<starts[chunk + 1]
        let place = elements.lowerBound * width..<elements.upperBound * width
        let now = Array(tensor.bytes[place])
        // A chunk that was torn was kept before it was written to: it may be torn in two places now.
        if FileManager.default.fileExists(atPath: kept(chunk)) {
          let file = try MappedFile(path: kept(chunk))
          guard file.bytes.count == now.count else { throw ErrataError.damagedJournal(path) }
          return (now, ChunkRecovery.Result(before: Array(file.bytes)))
        }
        let undo = try transition.undo.map { undo in
          guard undo.chunks[chunk] == elements else { throw ErrataError.damagedJournal(path) }
          return undo.stream(chunk)
        }
        let recovery = ChunkRecovery(
          elements, now, at: tensor.info.fileRange.lowerBound + place.lowerBound, from: transition.old, undo: undo,
          to: transition.new, records[chunk])
        guard let result = recovery.run() else { throw ErrataError.damagedJournal(path) }
        return (now, result)
      }
      for (chunk, (now, result)) in zip(chunks, found) where now != result.before {
        if result.isTorn { try AtomicFile.write(result.before, to: kept(chunk)) }
        try writer.write(result.before, at: tensor.info.fileRange.lowerBound + starts[chunk] * width)
      }
    }
  }
}

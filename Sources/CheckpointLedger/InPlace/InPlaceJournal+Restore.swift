import Foundation
import Safetensors
import Tensors
import WeightPatch

extension InPlaceJournal {
  /// The tensors of a change that has begun, in its order.
  ///
  /// - Throws: an `ErrataError` (damaged input) if the checkpoint has no such tensor.
  func tensors(of checkpoint: Checkpoint, _ location: LedgerLocation) throws -> [StoredTensor] {
    try changes.map { change in
      // By a tensor's name a journal reaches no header, and no file but the checkpoint's weights.
      guard let tensor = try? checkpoint.tensor(named: change.tensor) else {
        throw ErrataError.damagedJournal(Self.manifest(in: location.change.journal).path)
      }
      return tensor
    }
  }

  /// Puts back what the checkpoint's tensors held before a change that has begun; they are on disk when this returns.
  ///
  /// - Throws: an `ErrataError`: damaged input, if what they held cannot be found.
  static func restore(_ checkpoint: Checkpoint, _ location: LedgerLocation) throws {
    let change = location.change
    let manifest = try manifest(in: change.journal).map()
    let path = manifest.path
    let journal = try InPlaceJournal(manifest)
    let tensors = try journal.tensors(of: checkpoint, location)
    let hasLedger = try location.directory.isDirectory()
    let ledger = hasLedger ? try Ledger(location.manifest.map()) : Ledger()
    let old = BatchSet(try ledger.patches.map { try location.openPatch($0.patch, near: location.folder) })
    let new = BatchSet(try journal.patches.map { try change.openPatch($0, near: location.folder) })
    let chunks = try chunks(in: change.journal).map()
    let records = try records(chunks, of: tensors, path)
    var writers: [String: FileRegionWriter] = [:]
    for (index, tensor) in tensors.enumerated() where !records[index].isEmpty {
      let writer =
        try writers[tensor.file.path]
        ?? FileRegionWriter(location.weightFile(tensor.file.path), identity: tensor.file.identity)
      writers[tensor.file.path] = writer
      let transition = try TensorTransition(
        tensor, from: old.factors(of: tensor.name), to: new.factors(of: tensor.name),
        base: journal.changes[index].base, location: location)
      try restore(transition, records[index], writer, path) { chunk($0, of: index, in: change.journal) }
    }
    withExtendedLifetime(chunks) {}
    for writer in writers.values { try writer.synchronize() }
    for (entry, tensor) in zip(journal.changes, tensors) where tensor.digest() != entry.before {
      throw ErrataError.damagedJournal(path)
    }
  }

  /// The records of every tensor's chunks, which lead into the file. There are no more of them than chunks, so what
  /// they take in memory is a small part of the tensors.
  private static func records(_ file: MappedFile, of tensors: [StoredTensor], _ path: String) throws -> [[ChunkRecord]]
  {
    var records = [[ChunkRecord]](repeating: [], count: tensors.count)
    var room = tensors.map { $0.shape.elementCount ?? 0 }
    try ChunkRecord.forEach(in: file) { record in
      guard record.tensor < tensors.count, record.elementCount <= room[record.tensor] else {
        throw ErrataError.damagedJournal(path)
      }
      room[record.tensor] -= record.elementCount
      records[record.tensor].append(record)
    }
    return records
  }

  /// - Parameter kept: where a torn chunk's old bytes are kept.
  private static func restore(
    _ transition: TensorTransition, _ records: [ChunkRecord], _ writer: FileRegionWriter, _ path: String,
    kept: @Sendable (Int) -> AnchoredPath
  ) throws {
    let tensor = transition.tensor
    let width = transition.old.format.width
    let starts = records.reduce(into: [0]) { $0.append($0.last! + $1.elementCount) }
    guard starts.last! <= transition.old.elementCount, starts.count <= transition.chunks.count + 1 else {
      throw ErrataError.damagedJournal(path)
    }
    nonisolated(unsafe) let records = records
    let group = 4 * Threads.count
    for first in stride(from: 0, to: records.count, by: group) {
      let chunks = first..<min(first + group, records.count)
      let found = try Threads.map(chunks) { chunk -> (now: [UInt8], ChunkRecovery.Result) in
        let elements = starts[chunk]..<starts[chunk + 1]
        let place = elements.lowerBound * width..<elements.upperBound * width
        let now = Array(tensor.bytes[place])
        // A chunk that was torn was kept before it was written to: it may be torn in two places now.
        if try kept(chunk).isFile() {
          let file = try kept(chunk).map()
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
        if result.isTorn { try kept(chunk).write(result.before) }
        try writer.write(result.before, at: tensor.info.fileRange.lowerBound + starts[chunk] * width)
      }
    }
  }
}

import Tensors
import TestSupport
import Testing

@testable import CheckpointLedger
@testable import WeightPatch

/// From any mixture of old and new bytes that a crash can leave, the old ones are found.
@Suite struct ChunkRecoveryTests {
  /// A chunk before and after a change, with the record that leads back.
  private struct Change {
    let elements: Range<Int>
    let width: Int
    let old: TensorChange
    let new: TensorChange
    let undo: [UInt8]
    let record: [UInt8]
    let before: [UInt8]
    let after: [UInt8]

    /// - Parameters:
    ///   - hadPatch, hasPatch: whether there is a change of the base before and after.
    init(_ dtype: DType, rows: Int, columns: Int, hadPatch: Bool, hasPatch: Bool, seed: UInt64) throws {
      var random = SeededGenerator(seed: seed)
      let base = StoredElements.gaussian(dtype, count: rows * columns, scale: 0.02, using: &random).bytes
      let shape: Shape = [rows, columns]
      func factors(_ isThere: Bool) -> [LowRankFactors] {
        isThere ? [.random(outputs: rows, inputs: columns, facts: 3, scale: 0.05, using: &random)] : []
      }
      elements = 0..<rows * columns
      let format = StoredFormat(dtype)!
      width = format.width
      old = try TensorChange(factors(hadPatch), name: "w", dtype: dtype, shape: shape)
      new = try TensorChange(factors(hasPatch), name: "w", dtype: dtype, shape: shape)
      func edited(_ change: TensorChange, _ elements: Range<Int>) throws -> (bytes: [UInt8], stream: [UInt8]) {
        guard !change.isEmpty else { return (base, []) }
        var result = base
        var open = OpenElements(elements, columns: columns, format: format)
        try result.withUnsafeMutableBytes { result in
          let current = result.baseAddress!
          try change.round(elements, base: base, into: current) { run, delta in
            open.find(run, base: base, current: current, delta: delta)
          }
        }
        return (result, UndoCoding(format: format).encode(open))
      }
      let (before, undo) = try edited(old, elements)
      let (after, stream) = try edited(new, elements)
      (self.before, self.undo, self.after) = (before, undo, after)
      record = ChunkRecord.serialized(
        TensorTransition.Piece(elements: elements, offset: 0, base: before, new: after, stream: stream), tensor: 0)
    }

    func recover(_ bytes: [UInt8], at fileOffset: Int = 0) throws -> ChunkRecovery.Result? {
      let directory = try TemporaryDirectory()
      try AtomicFile.write(record, to: directory("chunks"))
      let file = try MappedFile(path: directory("chunks"))
      let records = records(in: file)
      #expect(records.count == 1)
      return undo.withUnsafeBytes { undo in
        withExtendedLifetime(file) {
          ChunkRecovery(
            elements, bytes, at: fileOffset, from: old, undo: old.isEmpty ? nil : undo, to: new, records[0]
          ).run()
        }
      }
    }
  }

  @Test(arguments: [DType.bf16, .f16, .f32], [(false, true), (true, false), (true, true)])
  func whatIsWholeIsTakenBack(dtype: DType, patches: (had: Bool, has: Bool)) throws {
    let change = try Change(dtype, rows: 60, columns: 70, hadPatch: patches.had, hasPatch: patches.has, seed: 1)
    let isChange = change.before != change.after
    #expect(isChange)
    for bytes in [change.before, change.after] {
      let result = try #require(try change.recover(bytes))
      let isBefore = result.before == change.before && !result.isTorn
      #expect(isBefore)
    }
    // Blocks of both kinds in any order.
    let block = ChunkRecord.blockLength * change.width
    for pattern in 0..<16 {
      var bytes = change.before
      for index in 0..<4 where pattern >> index & 1 == 1 {
        bytes.replaceSubrange(
          index * block..<(index + 1) * block, with: change.after[index * block..<(index + 1) * block])
      }
      let isBefore = try change.recover(bytes)?.before == change.before
      #expect(isBefore)
    }
  }

  /// Wherever between two elements a write was cut off.
  @Test(arguments: [DType.bf16, .f32], [(false, true), (true, false), (true, true)])
  func whatIsTornIsTakenBack(dtype: DType, patches: (had: Bool, has: Bool)) throws {
    let change = try Change(dtype, rows: 13, columns: 100, hadPatch: patches.had, hasPatch: patches.has, seed: 2)
    for position in stride(from: change.width, to: change.after.count, by: 41 * change.width) {
      for (first, second) in [(change.after, change.before), (change.before, change.after)] {
        let bytes = Array(first[..<position] + second[position...])
        let result = try #require(try change.recover(bytes), "at \(position)")
        let isBefore = result.before == change.before
        #expect(isBefore, "at \(position)")
      }
    }
  }

  /// Where a tensor does not begin at a multiple of its elements' length, a sector of the disk ends within one.
  @Test(arguments: [DType.bf16, .f32], [1, 2, 3])
  func tornElementsAreTakenBack(dtype: DType, misalignment: Int) throws {
    let change = try Change(dtype, rows: 5, columns: 100, hadPatch: true, hasPatch: true, seed: 3)
    let offset = 1000 * change.width + misalignment
    for sector in stride(from: (offset / 512 + 1) * 512, to: offset + change.after.count, by: 512).prefix(2) {
      let position = sector - offset
      for (first, second) in [(change.after, change.before), (change.before, change.after)] {
        let bytes = Array(first[..<position] + second[position...])
        let result = try #require(try change.recover(bytes, at: offset), "at \(position)")
        let isBefore = result.before == change.before
        #expect(isBefore, "at \(position)")
      }
    }
  }

  @Test func whatIsNeitherIsRefused() throws {
    let change = try Change(.bf16, rows: 5, columns: 100, hadPatch: false, hasPatch: true, seed: 4)
    var bytes = change.after
    bytes[101] ^= 0x10
    #expect(try change.recover(bytes) == nil)
    bytes = change.before
    bytes[500] ^= 0x10
    #expect(try change.recover(bytes) == nil)
  }

  /// A record whose end is not on disk is none, and so are those behind it.
  @Test func recordsThatAreCutOffAreLeftOut() throws {
    let change = try Change(.bf16, rows: 5, columns: 100, hadPatch: false, hasPatch: true, seed: 5)
    let directory = try TemporaryDirectory()
    let two = change.record + change.record
    for count in stride(from: 0, through: two.count, by: 7) {
      try AtomicFile.write(two.prefix(count), to: directory("chunks"))
      let file = try MappedFile(path: directory("chunks"))
      #expect(records(in: file).count == count / change.record.count)
    }
    var damaged = two
    damaged[change.record.count + 20] ^= 1
    try AtomicFile.write(damaged, to: directory("chunks"))
    #expect(try records(in: MappedFile(path: directory("chunks"))).count == 1)
  }

  /// Every bit counts, and so does the length.
  @Test func checksumsTellBytesApart() {
    var random = SeededGenerator(seed: 6)
    for count in 0..<100 {
      let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
      let sum = bytes.withUnsafeBytes { checksum($0) }
      #expect((bytes + [0]).withUnsafeBytes { checksum($0) } != sum)
      for bit in 0..<8 * count {
        var changed = bytes
        changed[bit / 8] ^= 1 << (bit % 8)
        #expect(changed.withUnsafeBytes { checksum($0) } != sum)
      }
    }
  }
}

private func records(in file: MappedFile) -> [ChunkRecord] {
  var records: [ChunkRecord] = []
  ChunkRecord.forEach(in: file) { records.append($0) }
  return records
}

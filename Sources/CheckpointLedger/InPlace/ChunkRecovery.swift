import CKernels
import Tensors
import WeightPatch

/// Finds what a chunk held before a change of which some bytes are written and others are not.
///
/// From an old value the base follows by the old undo record, and from the base the new value; from a new value the
/// base follows by the new undo record, and from the base the old value. So, whichever of the two an element holds,
/// both are known, and both streams are decoded side by side. Which it is, the checksums of the new bytes say, a block
/// at a time: mostly a block is wholly old or wholly new; where a write was cut off, the place is searched for.
struct ChunkRecovery {
  private let format: StoredFormat
  private let record: ChunkRecord
  private var sides: Sides
  private let bytes: [UInt8]
  /// Where the chunk begins in the file.
  private let fileOffset: Int

  struct Result {
    var before: [UInt8] = []
    /// Whether a block was neither old nor new.
    var isTorn = false
  }

  /// - Parameters:
  ///   - elements: the chunk.
  ///   - bytes: what it holds now.
  ///   - undo: the old undo record's stream, if there was a change before.
  init(
    _ elements: Range<Int>, _ bytes: [UInt8], at fileOffset: Int, from old: TensorChange, undo: UnsafeRawBufferPointer?,
    to new: TensorChange, _ record: ChunkRecord
  ) {
    format = old.format
    self.record = record
    self.bytes = bytes
    self.fileOffset = fileOffset
    sides = Sides(
      old: Side(old, elements, undo), new: Side(new, elements, new.isEmpty ? nil : record.stream))
  }

  /// Nil if no way was found: the journal or the bytes are damaged.
  consuming func run() -> Result? {
    var result = Result()
    var isNew = false
    let length = ChunkRecord.blockLength
    for (index, sum) in record.checksums.enumerated() {
      let block = index * length..<min((index + 1) * length, record.elementCount)
      // Mostly as the block before it.
      if let before = whole(block, isNew: isNew, sum) ?? whole(block, isNew: !isNew, sum) {
        result.before += before.bytes
        isNew = before.isNew
      } else if let before = torn(block, sum) {
        result.before += before
        result.isTorn = true
      } else {
        return nil
      }
    }
    return result
  }

  private mutating func whole(_ block: Range<Int>, isNew: Bool, _ sum: UInt64) -> (bytes: [UInt8], isNew: Bool)? {
    var sides = sides
    var content = Content()
    guard sides.follow(block, bytes(of: block), isNew: isNew, &content), content.isWhole(sum) else { return nil }
    self.sides = sides
    return (content.old, isNew)
  }

  /// A block that holds new bytes up to some place and old ones from there on, or the other way round.
  private mutating func torn(_ block: Range<Int>, _ sum: UInt64) -> [UInt8]? {
    for isNewFirst in [true, false] {
      // What is before the place, an element further at a time.
      var (start, before) = (sides, Content())
      for element in block {
        for offset in 0..<format.width where isPossible(element, offset) {
          for var (rest, content) in straddling(element, offset, isNewFirst, start, before) {
            let after = element + (offset == 0 ? 0 : 1)..<block.upperBound
            guard rest.follow(after, bytes(of: after), isNew: !isNewFirst, &content), content.isWhole(sum) else {
              continue
            }
            sides = rest
            return content.old
          }
        }
        let one = element..<element + 1
        guard start.follow(one, bytes(of: one), isNew: isNewFirst, &before) else { break }
      }
    }
    return nil
  }

  /// Whether a write can have been cut off there: between elements, or, within one, where a disk's sector ends.
  private func isPossible(_ element: Int, _ offset: Int) -> Bool {
    offset == 0 || (fileOffset + element * format.width + offset) % 512 == 0
  }

  /// What follows from an element whose first `offset` bytes are of one state and whose other bytes are of the other:
  /// all values of the state of which there is more are tried.
  private func straddling(
    _ element: Int, _ offset: Int, _ isNewFirst: Bool, _ sides: Sides, _ content: Content
  ) -> [(Sides, Content)] {
    guard offset > 0 else { return [(sides, content)] }
    let found = bytes(of: element..<element + 1)
    let isFirstKnown = 2 * offset >= format.width
    let guessed = isFirstKnown ? offset..<format.width : 0..<offset
    return (0..<1 << (8 * guessed.count)).compactMap { guess -> (Sides, Content)? in
      var value = found
      for (position, index) in guessed.enumerated() {
        value[index] = UInt8(truncatingIfNeeded: guess >> (8 * position))
      }
      var (sides, content) = (sides, content)
      let isNew = isFirstKnown == isNewFirst
      guard sides.follow(element..<element + 1, value, isNew: isNew, &content) else { return nil }
      let other = (isNew ? content.old : content.new).suffix(format.width)
      // The bytes that are not of the guessed value are of the other one.
      return Array(other)[guessed] == found[guessed] ? (sides, content) : nil
    }
  }

  private func bytes(of range: Range<Int>) -> [UInt8] {
    Array(bytes[range.lowerBound * format.width..<range.upperBound * format.width])
  }
}

/// The beginning of a block, as it was and as it shall be.
private struct Content {
  var old: [UInt8] = []
  var new: [UInt8] = []

  func isWhole(_ sum: UInt64) -> Bool { new.withUnsafeBytes { checksum($0) } == sum }
}

private struct Sides {
  var old: Side
  var new: Side

  /// Takes the next elements, which hold `values`, all old or all new. Returns whether that is possible.
  mutating func follow(_ range: Range<Int>, _ values: [UInt8], isNew: Bool, _ content: inout Content) -> Bool {
    guard !range.isEmpty else { return true }
    guard let base = isNew ? new.base(of: range, values) : old.base(of: range, values),
      let other = isNew ? old.edited(range, base) : new.edited(range, base)
    else { return false }
    // The other stream goes on too.
    guard isNew ? old.base(of: range, other) == base : new.base(of: range, other) == base else { return false }
    content.old += isNew ? other : values
    content.new += isNew ? values : other
    return true
  }
}

/// The old or the new set's change of a chunk.
private struct Side {
  private let change: TensorChange
  private let elements: Range<Int>
  private let delta: [Double]
  /// Nil if there is no change.
  private var reader: UndoReader?

  init(_ change: TensorChange, _ elements: Range<Int>, _ stream: UnsafeRawBufferPointer?) {
    self.change = change
    self.elements = elements
    reader = stream.map(UndoReader.init)
    delta = [Double](unsafeUninitializedCapacity: elements.count) { delta, count in
      change.forEachRun(of: elements) { run, values in
        let place = delta.baseAddress! + (run.lowerBound - elements.lowerBound)
        place.initialize(from: values, count: run.count)
      }
      count = elements.count
    }
  }

  /// The base of the elements that come next, `range` in the chunk; nil if the values are not this change's.
  mutating func base(of range: Range<Int>, _ values: [UInt8]) -> [UInt8]? {
    guard var reader else { return values }
    let format = change.format
    var (rounded, base) = (values, values)
    guard change.correct(inTensor(range), &rounded, backwards: true) == nil else { return nil }
    let run = 0..<range.count
    var open = OpenElements(run, columns: run.count, format: format)
    delta.withUnsafeBufferPointer {
      open.find(run, current: rounded, delta: $0.baseAddress! + range.lowerBound, into: &base)
    }
    guard UndoCoding(format: format).decode(&reader, open, into: &base) else { return nil }
    self.reader = reader
    return base
  }

  /// The edited values; nil if one is not finite.
  func edited(_ range: Range<Int>, _ base: [UInt8]) -> [UInt8]? {
    guard reader != nil else { return base }
    var result = base
    let done = delta.withUnsafeBufferPointer {
      errata_round_sums(change.format.type, base, $0.baseAddress! + range.lowerBound, &result, range.count)
    }
    guard done == range.count, change.correct(inTensor(range), &result) == nil else { return nil }
    return result
  }

  private func inTensor(_ range: Range<Int>) -> Range<Int> {
    elements.lowerBound + range.lowerBound..<elements.lowerBound + range.upperBound
  }
}

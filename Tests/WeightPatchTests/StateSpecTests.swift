import Foundation
import Safetensors
import Tensors
import TestSupport
import Testing

@testable import CheckpointLedger
@testable import WeightPatch

/// Spec/checkpoint-state.md says nothing about its example that is not so.
@Suite struct StateSpecTests {
  private let page: SpecPage
  private let format = StoredFormat(.bf16)!
  private let delta: [Double]

  init() throws {
    page = try SpecPage("checkpoint-state.md")
    let factors = SpecExample.batch.tensors[0]
    delta = plainProduct(factors.leftValues()!.widened(), factors.rightValues()!.widened()).elements.map { $0 + 0 }
  }

  /// The bytes of the base and of the edited tensor, as the page shows them.
  private func shown(_ what: String) throws -> [UInt8] { try page.dump(what).flatMap(\.bytes) }

  @Test func theExampleIsWhatApplyWrites() throws {
    let directory = try TemporaryDirectory()
    let (name, edited) = ("edited.safetensors", directory("edited.safetensors"))
    try CheckpointState(path: SpecExample.basePath)
      .planApply([PatchFile(path: SpecExample.patchPath)], time: "2026-02-01T12:00:00Z").write(to: edited)
    #expect(try directory.read(name) == Array(Data(contentsOf: URL(fileURLWithPath: SpecExample.editedPath))))
    #expect(try shown("base bytes") == SpecExample.base)
    #expect(try shown("edited bytes") == SpecExample.edited())
    #expect(
      try JSON.parse(Array(page.block("ledger").utf8)) == JSON.parse(directory.read(name + ".errata/ledger.json")))
    let record = try page.block("name of the undo record") + ".undo"
    let bytes = try directory.read(name + ".errata/undo/" + record)
    #expect(try shown("bytes of the undo record") == bytes)
    try page.expectDumps("bytes of the undo record", of: bytes)
  }

  /// What stands on the page leads back to the base, read by the code.
  @Test func theRecordLeadsBack() throws {
    let directory = try TemporaryDirectory()
    let dump = try shown("bytes of the undo record")
    try AtomicFile.write(dump, to: directory("x.undo"))
    let record = try UndoRecord(MappedFile(path: directory("x.undo")))
    #expect(record.dtype == .bf16 && record.elementCount == 12 && record.chunks.count == 1)
    let (edited, base) = (try shown("edited bytes"), try shown("base bytes"))
    var decoded = [UInt8](repeating: 0, count: 24)
    var open = OpenElements(delta.indices, columns: delta.count, format: format)
    open.find(delta.indices, current: edited, delta: delta, into: &decoded)
    #expect(UndoCoding(format: format).decode(record.stream(0), open, into: &decoded))
    #expect(decoded == base)
  }

  /// Against a look at every value of the type.
  @Test func theCandidatesAreThese() throws {
    let (base, edited) = (
      StoredElements(.bf16, bytes: SpecExample.base), StoredElements(.bf16, bytes: try SpecExample.edited())
    )
    let orders = -Int(format.infinity)..<Int(format.infinity)
    let rows = try page.rows("candidates")
    #expect(rows.count == 12)
    for (element, row) in rows.enumerated() {
      let found = orders.filter { order in
        let pattern = UInt32(order < 0 ? 0x8000 | (-1 - order) : order)
        let sum = StoredElements(.bf16, patterns: [pattern]).value(0) + delta[element]
        return StoredElements.round(sum, to: .bf16) == edited.patterns[element]
      }
      let bits = String(edited.patterns[element], radix: 16)
      #expect(found.count == found.last! - found.first! + 1)
      #expect(row[0] == "\(element)" && row[1] == bits && Double(row[2]) == delta[element])
      #expect(row[3...].map(Int.init) == [found.first, found.last, Int(base.patterns[element])], "\(row)")
    }
  }

  /// The choices, coded by the arithmetic of the page, give the stream.
  @Test func theChoicesAreTheStream() throws {
    var (low, range, bytes): (UInt64, UInt64, [UInt8]) = (0, .max, [])
    func add(_ number: UInt64) {
      let (sum, carry) = low.addingReportingOverflow(number)
      low = sum
      // No byte before is 255 here.
      if carry { bytes[bytes.count - 1] += 1 }
    }
    var encoder = RangeEncoder()
    for row in try page.rows("choices") {
      let numbers = row[..<3].compactMap { UInt64($0) }
      try #require(numbers.count == 3)
      let (start, size, total) = (numbers[0], numbers[1], numbers[2])
      encoder.encode(start: start, size: size, total: total)
      let unit = range / total
      add(unit * start)
      range = unit * size
      let before = bytes.count
      while range < 1 << 56 {
        bytes.append(UInt8(low >> 56))
        (low, range) = (low << 8, range << 8)
      }
      #expect(row[3...4].map { UInt64($0, radix: 16) } == [low, range], "\(row)")
      let written = bytes[before...].map { String($0, radix: 16) }
      #expect(row[5] == (written.first ?? "element") && written.count <= 1, "\(row)")
    }
    #expect(page.text.contains("\(String(low, radix: 16)) + 2^56 - 1 = \(String(low + 1 << 56 - 1, radix: 16))"))
    add(1 << 56 - 1)
    bytes.append(UInt8(low >> 56))
    let (stream, record) = (encoder.finish(), try shown("bytes of the undo record"))
    #expect(bytes == stream && bytes == Array(record[0x24..<0x27]))
  }
}

import Foundation
import Safetensors
import Tensors
import TestSupport
import Testing

@testable import CheckpointLedger
@testable import WeightPatch

/// Every limit of Spec/checkpoint-state.md, at the limit and just above it; and that what is within is read in time
/// that grows with it.
@Suite struct LedgerLimitTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func file(_ text: String, count: Int? = nil) throws -> MappedFile {
    let path = directory("file")
    // White space at the end of a JSON text is allowed.
    let room = count.map { $0 - text.utf8.count } ?? 0
    try AtomicFile.write(Array(text.utf8) + [UInt8](repeating: 0x20, count: room), to: path)
    return try MappedFile(path: path)
  }

  @Test func theSizeOfALedger() throws {
    let text = #"{"version":1,"patches":[],"tensors":{}}"#
    #expect(try Ledger(file(text, count: 64 << 20)).patches.isEmpty)
    let error = ErrataError(
      .damagedInput,
      "\(directory("file")): damaged ledger: it is too large; restore the checkpoint from its source")
    #expect(throws: error) { try Ledger(file(text, count: 64 << 20 + 1)) }
  }

  @Test func theSizeOfAJournal() throws {
    let text = #"{"version":3,"patches":[],"changes":[]}"#
    #expect(try InPlaceJournal(file(text, count: 64 << 20)).changes.isEmpty)
    #expect(throws: ErrataError.damagedJournal(directory("file"))) {
      try InPlaceJournal(file(text, count: 64 << 20 + 1))
    }
  }

  /// The text has five values besides those of the array that is ignored.
  private func values(_ count: Int, version: Int, other: String) -> String {
    let ignored = String(repeating: "0,", count: count - 6) + "0"
    return #"{"version":\#(version),"patches":[],\#(other),"x":[\#(ignored)]}"#
  }

  @Test func valuesOfALedger() throws {
    let most = Ledger.largestValueCount
    #expect(most == 600_000)
    #expect(try Ledger(file(values(most, version: 1, other: #""tensors":{}"#))).tensors.isEmpty)
    #expect { try Ledger(file(values(most + 1, version: 1, other: #""tensors":{}"#))) } throws: {
      ($0 as? ErrataError)?.message.contains("not valid JSON at byte") == true
    }
  }

  @Test func valuesOfAJournal() throws {
    let most = Ledger.largestValueCount
    #expect(try InPlaceJournal(file(values(most, version: 3, other: #""changes":[]"#))).changes.isEmpty)
    #expect { try InPlaceJournal(file(values(most + 1, version: 3, other: #""changes":[]"#))) } throws: {
      ($0 as? ErrataError)?.kind == .damagedInput
    }
  }

  /// As many patches as the limits allow; a quadratic reader takes minutes.
  @Test(.timeLimit(.minutes(1))) func manyPatches() throws {
    func entry(_ number: Int) -> String {
      let digits = String(number, radix: 16)
      let identifier = String(repeating: "0", count: 64 - digits.count) + digits
      return #"{"id":"\#(identifier)","name":"a","applied":"b"}"#
    }
    func text(_ numbers: some Sequence<Int>) -> String {
      #"{"version":1,"tensors":{},"patches":["# + numbers.map(entry).joined(separator: ",") + "]}"
    }
    #expect(try Ledger(file(text(0..<140_000))).patches.count == 140_000)
    // Also where the last one is there twice.
    #expect { try Ledger(file(text(Array(0..<140_000) + [0]))) } throws: {
      ($0 as? ErrataError)?.message.contains("patch 000000000000 is there twice") == true
    }
  }

  /// A journal cannot have more records of a tensor than it has elements.
  @Test func recordsOfATensor() throws {
    let fixture = try CheckpointFixture(.singleFile)
    let patch = try fixture.patch("p", [fixture.batch(["model.a.weight"], seed: 1)])
    let location = try LedgerLocation(checkpoint: fixture.path, isDirectory: true)
    do {
      let state = try CheckpointState(path: fixture.path, forWriting: true)
      let plan = try state.planApply([patch], time: "2026-02-01T00:00:00Z")
      let tensors = try plan.changedTensors.map { try state.checkpoint.tensor(named: $0) }
      _ = try plan.rewrite(tensors, in: plan.beginChange()) { _ in }
    }
    let path = InPlaceJournal.chunks(in: location.change.journal).path
    let records = try Array(Data(contentsOf: URL(fileURLWithPath: path)))
    func number(_ tensor: UInt8) -> [UInt8] {
      var changed = records
      changed[8] = tensor
      let sum = changed.withUnsafeBytes { checksum(UnsafeRawBufferPointer(rebasing: $0[8...])) }
      return withUnsafeBytes(of: sum.littleEndian, Array.init) + changed[8...]
    }
    for damaged in [records + records, number(1), number(255)] {
      try AtomicFile.write(damaged, to: path)
      #expect(throws: ErrataError.damagedJournal(InPlaceJournal.manifest(in: location.change.journal).path)) {
        try CheckpointState(path: fixture.path)
      }
    }
    try AtomicFile.write(records, to: path)
    #expect(try CheckpointState(path: fixture.path).repair == .takenBack)
  }

  /// A chunk of the most elements is read, one of more is not; so too a tensor of the most, if all of it is there.
  @Test func sizesOfAnUndoRecord() throws {
    func record(chunk: UInt32, elements: UInt64) -> [UInt8] {
      let header: [[UInt8]] = [
        UndoRecord.magic, withUnsafeBytes(of: UndoRecord.version.littleEndian, Array.init), [0, 0, 0, 0],
        withUnsafeBytes(of: chunk.littleEndian, Array.init), withUnsafeBytes(of: elements.littleEndian, Array.init),
      ]
      return header.flatMap { $0 } + [0, 0, 0, 0] + [UInt8](repeating: 1, count: 64)
    }
    func open(chunk: Int, elements: UInt64) throws -> UndoRecord {
      try AtomicFile.write(record(chunk: UInt32(chunk), elements: elements), to: directory("x.undo"))
      return try UndoRecord(MappedFile(path: directory("x.undo")))
    }
    func damaged(_ reason: String) -> ErrataError { ErrataError.damagedUndoRecord(directory("x.undo"), reason) }
    #expect(try open(chunk: 1_048_576, elements: 1_048_576).elementCount == 1_048_576)
    #expect(throws: damaged("its header is out of range")) { try open(chunk: 1_048_577, elements: 1_048_576) }
    #expect(throws: damaged("its header is out of range")) { try open(chunk: 1_048_576, elements: 1 << 48) }
    // Within the limit, but not in the file: nothing is allocated for it.
    #expect(throws: damaged("it is cut off")) { try open(chunk: 1_048_576, elements: 1 << 48 - 1) }
    #expect(throws: damaged("it is cut off")) { try open(chunk: 1_048_576, elements: 1_048_577) }
  }
}

import Foundation
import Safetensors
import Tensors

@testable import CheckpointLedger
@testable import WeightPatch

/// Writes what the fuzzer starts from, a folder for every target: the samples and the specification's example, and what
/// belongs to a checkpoint that the example was applied to.
func writeSeeds(to folder: String) throws {
  let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().path
  func write(_ bytes: [UInt8], _ target: FuzzTarget, _ name: String) throws {
    let directory = "\(folder)/\(target.rawValue)"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    try AtomicFile.write(bytes, to: "\(directory)/\(name)")
  }
  func contents(_ path: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(fileURLWithPath: path))) }

  let example = root + "/Spec/examples"
  let patches =
    try ["eiffel-tower", "five-facts", "twenty-facts"].map { "\(root)/SamplePatches/\($0).wpatch" }
    + [example + "/example.wpatch"]
    + FileManager.default.contentsOfDirectory(atPath: example + "/vectors").filter { $0.hasSuffix(".wpatch") }.sorted()
    .map { "\(example)/vectors/\($0)" }
  for path in patches {
    let name = fileName(of: path)
    try write(contents(path), .frames, name)
    // What a reader must refuse has frames alone.
    guard let reader = try? PatchReader(path: path) else { continue }
    let decompressor = ZstdDecompressor()
    try write(reader.manifestText.bytes, .manifest, name)
    try write(
      reader.header.bytes + reader.header.tensors.flatMap { try reader.bytes(of: $0, decompressor) }, .content, name)
    try write(reader.header.bytes, .safetensors, name)
  }
  for name in ["base", "edited"] { try write(contents("\(example)/\(name).safetensors"), .safetensors, name) }

  let output = "\(folder)/seed.safetensors"
  let state = try CheckpointState(path: example + "/base.safetensors")
  let plan = try state.planApply([PatchFile(path: example + "/example.wpatch")], time: "2026-01-31T12:00:00Z")
  try plan.write(to: output)
  let location = try LedgerLocation(checkpoint: output, isDirectory: false)
  try write(contents(location.manifest.path), .ledger, "example")
  for name in plan.changedTensors { try write(contents(location.undoRecord(of: name).path), .undo, "example") }
  for path in [output, location.directory.path] { try FileManager.default.removeItem(atPath: path) }
  let journal = InPlaceJournal(
    changes: [.init(tensor: "model.a.weight", base: Digest(of: []), before: Digest(of: []))], patches: [Digest(of: [])])
  try write(journal.serialized(), .journal, "example")
}

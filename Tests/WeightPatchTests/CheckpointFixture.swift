import Foundation
import Safetensors
import Tensors
import TestSupport

@testable import CheckpointLedger
@testable import WeightPatch

/// A small checkpoint of random weights on disk, and patches made for it.
///
/// Its matrices: `a` (BF16), `b` (F16, stored transposed), `c` (F32); `norm` is never edited.
struct CheckpointFixture {
  enum Layout: CaseIterable { case singleFile, sharded, bareFile }

  static let outputs = 24
  static let inputs = 40
  static let matrices: [(name: ByteString, dtype: DType, isTransposed: Bool)] = [
    ("model.a.weight", .bf16, false), ("model.b.weight", .f16, true), ("model.c.weight", .f32, false),
  ]

  let directory: TemporaryDirectory
  let layout: Layout
  /// What the tools are given.
  let path: String
  let weights: [ByteString: StoredElements]

  init(_ layout: Layout, seed: UInt64 = 1) throws {
    var random = SeededGenerator(seed: seed)
    directory = try TemporaryDirectory()
    self.layout = layout
    path = layout == .bareFile ? directory("base.safetensors") : directory("base")
    weights = Dictionary(
      uniqueKeysWithValues: Self.matrices.map { matrix in
        (
          matrix.name,
          .gaussian(matrix.dtype, count: Self.outputs * Self.inputs, scale: 0.02, using: &random)
        )
      })
    try write()
  }

  private func write() throws {
    var tensors: [ByteString: (dtype: DType, shape: Shape, bytes: [UInt8])] = [
      // An odd number of bytes, so that what follows is not aligned.
      "0.flags": (.u8, [3], [1, 2, 3]), "model.norm.weight": (.bf16, [4], Array(repeating: 0x3F, count: 8)),
    ]
    for matrix in Self.matrices {
      tensors[matrix.name] = (matrix.dtype, Self.shape(matrix.isTransposed), weights[matrix.name]!.bytes)
    }
    let metadata: [ByteString: ByteString] = ["format": "pt"]
    guard layout != .bareFile else { return try SafetensorsWriter.write(tensors, metadata: metadata, to: path) }
    try FileManager.default.createDirectory(atPath: path + "/extra", withIntermediateDirectories: true)
    try AtomicFile.write(Array("{}".utf8), to: path + "/config.json")
    try AtomicFile.write(Array("tokens".utf8), to: path + "/extra/tokenizer.json")
    guard layout == .sharded else {
      return try SafetensorsWriter.write(tensors, metadata: metadata, to: path + "/model.safetensors")
    }
    var map = JSONObject()
    let shards = [["0.flags", "model.a.weight"], ["model.b.weight"], ["model.c.weight", "model.norm.weight"]]
    for (number, names) in shards.enumerated() {
      let shard = "model-0000\(number + 1)-of-00003.safetensors"
      let names = names.map { ByteString($0) }
      try SafetensorsWriter.write(
        tensors.filter { names.contains($0.key) }, metadata: metadata, to: "\(path)/\(shard)")
      for name in names { map[name] = JSON(shard) }
    }
    let index: JSON = ["metadata": [:], "weight_map": .object(map)]
    try AtomicFile.write(index.serialized(), to: path + "/model.safetensors.index.json")
  }

  static func shape(_ isTransposed: Bool) -> Shape { isTransposed ? [inputs, outputs] : [outputs, inputs] }

  /// A new place for an output.
  func output(_ name: String) -> String { directory(layout == .bareFile ? name + ".safetensors" : name) }

  /// Random batches for some of the matrices, without a file.
  func batch(_ names: [ByteString] = matrices.map(\.name), facts: Int = 2, scale: Double = 0.01, seed: UInt64)
    -> EditBatch
  {
    var random = SeededGenerator(seed: seed)
    return EditBatch(
      tensors: Self.matrices.filter { names.contains($0.name) }.map { matrix in
        .random(
          matrix.name, outputs: Self.outputs, inputs: Self.inputs, facts: facts, scale: scale,
          isTransposed: matrix.isTransposed, using: &random)
      })
  }

  /// Writes a patch for this base.
  ///
  /// - Parameter change: alters the manifest before it is written.
  func patch(
    _ name: String, _ batches: [EditBatch], change: (inout Manifest) -> Void = { _ in }
  ) throws -> PatchFile {
    let edited = Set(batches.flatMap { $0.tensors.map(\.name) })
    let checkpoint = try Checkpoint(path: path)
    let tensors = try Self.matrices.filter { edited.contains($0.name) }.map { matrix in
      (
        matrix.name,
        Manifest.BaseTensor(
          dtype: matrix.dtype, shape: Self.shape(matrix.isTransposed), isTransposed: matrix.isTransposed,
          digest: try checkpoint.digest(of: matrix.name))
      )
    }
    var manifest = Manifest(
      created: "2026-01-31T12:00:00Z", tool: Manifest.Tool(name: "tests", version: "0"),
      base: Manifest.Base(tensors: Dictionary(uniqueKeysWithValues: tensors)), result: result(of: batches),
      batches: batches.map { batch in
        Manifest.Batch(
          method: Manifest.Method(name: "emmet", lambda: 0.5, layers: [0]),
          facts: (0..<batch.factCount).map { Manifest.Fact(subject: "S\($0)", prompt: "{} is", targetNew: name) })
      })
    change(&manifest)
    try PatchWriter.write(manifest, batches: batches, to: directory(name))
    return try PatchFile(path: directory(name))
  }

  /// The digests that exact apply gives on this base, computed plainly.
  func result(of batches: [EditBatch]) -> [ByteString: Digest] {
    elements(with: batches).reduce(into: [:]) { result, element in
      let matrix = Self.matrices.first { $0.name == element.key }!
      var hasher = DigestHasher(tensorOf: matrix.dtype, shape: Self.shape(matrix.isTransposed))
      hasher.update(element.value.bytes)
      result[element.key] = hasher.finalize()
    }
  }

  /// The edited tensors with these batches, computed plainly.
  func elements(with batches: [EditBatch]) -> [ByteString: StoredElements] {
    let sorted = batches.sorted { $0.digest() < $1.digest() }
    var result: [ByteString: StoredElements] = [:]
    for matrix in Self.matrices {
      let factors = sorted.flatMap { $0.tensors.filter { $0.name == matrix.name } }
      guard !factors.isEmpty else { continue }
      let extents = Self.shape(matrix.isTransposed).extents
      result[matrix.name] = appliedPlainly(
        factors, to: weights[matrix.name]!, rows: extents[0], columns: extents[1])
    }
    return result
  }
}

/// The digest of every file under a path, the ledger's too; of a bare file its own and its ledger's.
func fileDigests(_ path: String, ledger: Bool = true) throws -> [String: Digest] {
  var result: [String: Digest] = [:]
  func add(_ name: String, _ file: String) throws {
    result[name] = try Digest(contentsOf: file)
  }
  var isDirectory: ObjCBool = false
  guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else { return [:] }
  if !isDirectory.boolValue { try add("", path) }
  for root in isDirectory.boolValue ? [path] : [path + ".errata"] {
    for name in FileManager.default.enumerator(atPath: root)?.allObjects as? [String] ?? [] {
      var isFolder: ObjCBool = false
      _ = FileManager.default.fileExists(atPath: "\(root)/\(name)", isDirectory: &isFolder)
      if isFolder.boolValue || (!ledger && (root != path || name.hasPrefix(".errata"))) { continue }
      try add(root == path ? name : ".errata/\(name)", "\(root)/\(name)")
    }
  }
  return result
}

/// A path, reached from the directory that it is in.
func anchored(_ path: String) throws -> AnchoredPath {
  AnchoredPath(fileName(of: path), in: try Anchor(path: parentDirectory(of: path)), path: path)
}

/// A tensor's bytes in a checkpoint.
func storedBytes(of name: ByteString, in path: String) throws -> [UInt8] {
  let tensor = try Checkpoint(path: path).tensor(named: name)
  return withExtendedLifetime(tensor) { Array(tensor.bytes) }
}

/// Applies patches and writes the output.
@discardableResult
func apply(_ files: [PatchFile], to path: String, output: String, force: Bool = false) throws -> StateReport {
  try CheckpointState(path: path).planApply(files, force: force, time: "2026-02-01T00:00:00Z").write(to: output)
}

/// Takes patches back and writes the output.
@discardableResult
func revert(
  _ files: [PatchFile], from path: String, output: String, children: CheckpointState.ChildPolicy = .refuse
) throws -> StateReport {
  try CheckpointState(path: path).planRevert(Set(files.map(\.identifier)), children: children).write(to: output)
}

@discardableResult
func applyInPlace(_ files: [PatchFile], _ path: String) throws -> StateReport {
  try CheckpointState(path: path, forWriting: true).planApply(files, time: "2026-02-01T00:00:00Z").writeInPlace()
}

@discardableResult
func revertInPlace(_ files: [PatchFile], _ path: String) throws -> StateReport {
  try CheckpointState(path: path, forWriting: true).planRevert(Set(files.map(\.identifier))).writeInPlace()
}

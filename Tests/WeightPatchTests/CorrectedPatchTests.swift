import Foundation
import Safetensors
import Tensors
import TestSupport
import Testing

@testable import CheckpointLedger
@testable import WeightPatch

/// A bare checkpoint of every weight type, orientation and shape, and patches of components and corrections for it.
struct CorrectionFixture {
  struct Weight {
    let name: ByteString
    let dtype: DType
    let shape: Shape
    let isTransposed: Bool
    let base: StoredElements
  }

  let directory: TemporaryDirectory
  let weights: [Weight]
  var path: String { directory("base.safetensors") }

  init(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    directory = try TemporaryDirectory()
    weights = [DType.bf16, .f16, .f32].flatMap { dtype in
      [([18, 26], false), ([26, 18], true), ([31], false), ([2, 3, 5], false), ([], false)].map {
        (shape: [Int], isTransposed: Bool) in
        let count = shape.reduce(1, *)
        var base = StoredElements.gaussian(dtype, count: count, scale: 0.02, using: &random)
        // Zeros of both signs and subnormal numbers.
        let sign: UInt32 = dtype == .f32 ? 1 << 31 : 1 << 15
        for index in stride(from: 0, to: count, by: 3) {
          base.patterns[index] = [0, sign, 1, sign | 3][index / 3 % 4]
        }
        return Weight(
          name: ByteString("\(dtype.rawValue)\(shape)\(isTransposed)"), dtype: dtype, shape: Shape(shape),
          isTransposed: isTransposed, base: base)
      }
    }
    try SafetensorsWriter.write(
      Dictionary(uniqueKeysWithValues: weights.map { ($0.name, ($0.dtype, $0.shape, $0.base.bytes)) }), to: path)
  }

  /// Steps for every weight of these types, per batch; and terms for the matrices, if there are any.
  func batch(
    seed: UInt64, terms: Int, largest: Int32 = 3, of dtypes: [DType] = [.bf16, .f16, .f32]
  ) -> (batch: EditBatch, steps: [ByteString: [Int32]]) {
    var random = SeededGenerator(seed: seed)
    var steps: [ByteString: [Int32]] = [:]
    let tensors = weights.filter { dtypes.contains($0.dtype) }.map { weight in
      let count = weight.base.patterns.count
      let own = (0..<count).map { _ in
        Bool.random(using: &random) ? 0 : Int32.random(in: -largest...largest, using: &random)
      }
      steps[weight.name] = own
      var builder = StoredCorrection.Builder()
      for step in own { builder.append(step) }
      guard weight.shape.extents.count == 2, terms > 0 else {
        return LowRankFactors(
          name: weight.name, isTransposed: weight.isTransposed, shape: weight.shape, correction: builder.finish())
      }
      // Components: every weight has its own number of terms.
      let factors = LowRankFactors.random(
        weight.name, outputs: 18, inputs: 26, facts: terms + (weight.isTransposed ? 1 : 0), scale: 0.01,
        isTransposed: weight.isTransposed, type: weight.dtype == .f32 ? .f32 : .f16, using: &random)
      return LowRankFactors(
        name: weight.name, isTransposed: weight.isTransposed, left: factors.left, right: factors.right,
        correction: builder.finish())
    }
    return (EditBatch(tensors: tensors), steps)
  }

  /// Terms alone, for the matrices of these types.
  func terms(seed: UInt64, of dtypes: [DType]) -> (batch: EditBatch, steps: [ByteString: [Int32]]) {
    let corrected = batch(seed: seed, terms: 1, of: dtypes).batch
    return (
      EditBatch(
        tensors: corrected.tensors.filter { $0.rank > 0 }.map {
          LowRankFactors(name: $0.name, isTransposed: $0.isTransposed, left: $0.left, right: $0.right)
        }), [:]
    )
  }

  /// Spec: exact apply with corrections, plainly.
  func edited(_ batches: [(batch: EditBatch, steps: [ByteString: [Int32]])]) -> [ByteString: StoredElements] {
    let sorted = batches.map(\.batch).sorted { $0.digest() < $1.digest() }
    return Dictionary(
      uniqueKeysWithValues: weights.map { weight in
        let isMatrix = weight.shape.extents.count == 2
        let editing = sorted.flatMap { $0.tensors.filter { $0.name == weight.name } }
        guard !editing.isEmpty else { return (weight.name, weight.base) }
        let factors = editing.filter { $0.rank > 0 }
        var result = appliedPlainly(
          factors, to: weight.base, rows: isMatrix ? weight.shape.extents[0] : 1,
          columns: isMatrix ? weight.shape.extents[1] : weight.base.patterns.count)
        let sign: Int64 = weight.dtype == .f32 ? 1 << 31 : 1 << 15
        for index in result.patterns.indices {
          let pattern = Int64(result.patterns[index])
          let order =
            (pattern < sign ? pattern : -1 - (pattern - sign))
            + batches.reduce(0) { $0 + Int64($1.steps[weight.name]?[index] ?? 0) }
          result.patterns[index] = UInt32(order < 0 ? sign - 1 - order : order)
        }
        return (weight.name, result)
      })
  }

  func patch(
    _ name: String, _ batches: [(batch: EditBatch, steps: [ByteString: [Int32]])],
    change: (inout Manifest) -> Void = { _ in }
  ) throws -> PatchFile {
    func digest(_ weight: Weight, _ elements: StoredElements) -> Digest {
      var hasher = DigestHasher(tensorOf: weight.dtype, shape: weight.shape)
      hasher.update(elements.bytes)
      return hasher.finalize()
    }
    let result = edited(batches)
    let edits = Set(batches.flatMap { $0.batch.tensors.map(\.name) })
    let weights = weights.filter { edits.contains($0.name) }
    var manifest = Manifest(
      created: "2026-01-31T12:00:00Z", tool: Manifest.Tool(name: "tests", version: "0"),
      base: Manifest.Base(
        tensors: Dictionary(
          uniqueKeysWithValues: weights.map {
            (
              $0.name,
              Manifest.BaseTensor(
                dtype: $0.dtype, shape: $0.shape, isTransposed: $0.isTransposed, digest: digest($0, $0.base))
            )
          })),
      result: Dictionary(uniqueKeysWithValues: weights.map { ($0.name, digest($0, result[$0.name]!)) }),
      batches: batches.map { _ in
        Manifest.Batch(
          terms: .components, method: Manifest.Method(name: "difference", lambda: 0, layers: []), facts: [])
      })
    change(&manifest)
    try PatchWriter.write(manifest, batches: batches.map(\.batch), to: directory(name))
    return try PatchFile(path: directory(name))
  }
}

@Suite struct CorrectedPatchTests {
  private func check(_ path: String, _ fixture: CorrectionFixture, _ expected: [ByteString: StoredElements]) throws {
    for weight in fixture.weights {
      #expect(try storedBytes(of: weight.name, in: path) == expected[weight.name]!.bytes, "\(weight.name)")
    }
    #expect(try CheckpointState(path: path).verify(against: Checkpoint(path: fixture.path)).findings == [])
  }

  /// Corrections in sets of several patches: any order of applying, taking back the first, and taking back all.
  @Test(arguments: [0, 2]) func patchesAreASet(terms: Int) throws {
    let fixture = try CorrectionFixture(seed: 41)
    let one = fixture.batch(seed: 1, terms: terms, of: [.bf16, .f16])
    let two = fixture.batch(seed: 2, terms: 1, largest: 200, of: [.f32])
    let files = (try fixture.patch("one.wpatch", [one]), try fixture.patch("two.wpatch", [two]))
    let place = { fixture.directory($0 + ".safetensors") }
    try apply([files.0], to: fixture.path, output: place("a"))
    try check(place("a"), fixture, fixture.edited([one]))
    try apply([files.1], to: place("a"), output: place("ab"))
    try check(place("ab"), fixture, fixture.edited([one, two]))
    try apply([files.1, files.0], to: fixture.path, output: place("ba"))
    #expect(try fileDigests(place("ab"))[""] == fileDigests(place("ba"))[""])
    try revert([files.0], from: place("ab"), output: place("b"))
    try check(place("b"), fixture, fixture.edited([two]))
    try revert([files.0, files.1], from: place("ba"), output: place("none"))
    #expect(try fileDigests(place("none")) == fileDigests(fixture.path))
  }

  @Test func inPlace() throws {
    let fixture = try CorrectionFixture(seed: 42)
    let (one, two) = (
      fixture.batch(seed: 3, terms: 2, of: [.f16]), fixture.batch(seed: 4, terms: 0, of: [.bf16, .f32])
    )
    let file = try fixture.patch("both.wpatch", [one, two])
    let path = fixture.directory("copy.safetensors")
    try FileManager.default.copyItem(atPath: fixture.path, toPath: path)
    try applyInPlace([file], path)
    try check(path, fixture, fixture.edited([one, two]))
    try revertInPlace([file], path)
    #expect(try fileDigests(path) == fileDigests(fixture.path))
  }

  // MARK: A correction stands alone

  private func conflict(_ weight: String, _ corrected: String, _ other: String) -> ErrataError {
    ErrataError(
      .conflict,
      "\(weight): is corrected by \(corrected) and changed by \(other) too, but a correction fits only the sum "
        + "that it was made for; take one of them, or make a difference of the finished checkpoint, or make the "
        + "first again without correction")
  }

  /// A weight with a correction takes no other batch: neither with steps nor without, in any order, by force or not.
  @Test func aCorrectionTakesNoOtherBatch() throws {
    let fixture = try CorrectionFixture(seed: 48)
    let time = "2026-02-01T00:00:00Z"
    let (exact, other) = (fixture.batch(seed: 11, terms: 1), fixture.batch(seed: 12, terms: 0, of: [.f16]))
    let (free, more) = (fixture.terms(seed: 13, of: [.bf16]), fixture.terms(seed: 14, of: [.bf16]))
    let files = [
      try fixture.patch("exact.wpatch", [exact]), try fixture.patch("other.wpatch", [other]),
      try fixture.patch("free.wpatch", [free]), try fixture.patch("more.wpatch", [more]),
    ]
    let names = files.map { "\($0.identifier.abbreviated) (\($0.name))" }
    let base = try CheckpointState(path: fixture.path)
    let place = { fixture.directory($0 + ".safetensors") }
    for force in [false, true] {
      #expect(throws: conflict("BF16[18, 26]false", names[0], names[2])) {
        try base.planApply([files[2], files[0]], force: force, time: time)
      }
    }
    let first = files[0].manifest.batches[0].digest < files[1].manifest.batches[0].digest ? 0 : 1
    #expect(throws: conflict("F16[18, 26]false", names[first], names[1 - first])) {
      try base.planApply([files[0], files[1]], time: time)
    }
    // One is there already, under the name that the ledger has for it.
    try apply([files[0]], to: fixture.path, output: place("exact"))
    let state = try CheckpointState(path: place("exact"))
    #expect(throws: conflict("BF16[18, 26]false", names[0], names[2])) {
      try state.planApply([files[2]], time: time)
    }
    #expect(try state.planApply([files[0]], time: time).isEmpty)
    try apply([files[2]], to: fixture.path, output: place("free"))
    #expect(throws: conflict("BF16[18, 26]false", names[0], names[2])) {
      try CheckpointState(path: place("free")).planApply([files[0]], time: time)
    }
    // Without corrections, or with those of other weights, they go together.
    try apply([files[1], files[2], files[3]], to: fixture.path, output: place("together"))
    try check(place("together"), fixture, fixture.edited([other, free, more]))
    #expect(throws: Never.self) { try BatchSet([files[1], files[2], files[3]]).checkCorrections { $0.path } }
    #expect(throws: conflict("BF16[18, 26]false", files[0].path, files[3].path)) {
      try BatchSet([files[3], files[0]]).checkCorrections { $0.path }
    }
  }

  @Test func norWithinOnePatch() throws {
    let fixture = try CorrectionFixture(seed: 49)
    let file = try fixture.patch(
      "both.wpatch", [fixture.terms(seed: 15, of: [.f32]), fixture.batch(seed: 16, terms: 1, of: [.f32, .f16])])
    let name = "\(file.identifier.abbreviated) (both.wpatch)"
    #expect(throws: conflict("F32[18, 26]false", "batch 1 of \(name)", "batch 0 of \(name)")) {
      try CheckpointState(path: fixture.path).planApply([file], time: "2026-02-01T00:00:00Z")
    }
  }

  @Test func norByReplacement() throws {
    let fixture = try CorrectionFixture(seed: 50)
    let time = "2026-02-01T00:00:00Z"
    let files = [
      try fixture.patch("exact.wpatch", [fixture.batch(seed: 17, terms: 1, of: [.bf16])]),
      try fixture.patch("free.wpatch", [fixture.terms(seed: 18, of: [.f32])]),
      try fixture.patch("new.wpatch", [fixture.terms(seed: 19, of: [.bf16])]),
    ]
    let path = fixture.directory("edited.safetensors")
    try apply([files[0], files[1]], to: fixture.path, output: path)
    let state = try CheckpointState(path: path)
    let replacement = Replacement(files[1], by: files[2], name: "free.wpatch without a fact")
    #expect(
      throws: conflict(
        "BF16[18, 26]false", "\(files[0].identifier.abbreviated) (exact.wpatch)",
        "\(files[2].identifier.abbreviated) (free.wpatch without a fact)")
    ) { try state.planRevert([], replacing: [replacement], time: time) }
    #expect(try state.planRevert([files[0].identifier], replacing: [replacement], time: time).replaced.count == 1)
  }

  @Test func survivesTheFile() throws {
    let fixture = try CorrectionFixture(seed: 43)
    let (one, two) = (fixture.batch(seed: 5, terms: 2, largest: 300), fixture.batch(seed: 6, terms: 0))
    let patch = try fixture.patch("x.wpatch", [two, one]).patch
    for (read, written) in zip(patch.batches, [two.batch, one.batch]) {
      #expect(read.digest() == written.digest())
      for (a, b) in zip(read.tensors, written.tensors) {
        #expect(a.correction == b.correction && a.left == b.left && a.right == b.right && a.shape == b.shape)
      }
    }
    // The same of the header alone: its terms are the larger number, of the transposed matrices.
    let reader = try PatchReader(path: fixture.directory("x.wpatch"))
    for index in patch.batches.indices {
      let storage = reader.storage(batch: index)
      #expect(storage.map(\.weight) == patch.batches[index].tensors.map(\.name))
      #expect(storage.map(\.storage) == patch.batches[index].tensors.map(\.wholeStorage))
      #expect(storage.map(\.rank) == patch.batches[index].tensors.map(\.rank))
    }
    #expect(patch.extent == "3 terms in 15 tensors" && reader.extent == patch.extent)
    #expect(try fixture.patch("y.wpatch", [two]).patch.extent == "corrections in 15 tensors")
  }

  /// A record that leads out of the finite values is found before anything is written.
  @Test func aChangedTensorIsRefused() throws {
    let fixture = try CorrectionFixture(seed: 44)
    let file = try fixture.patch("x.wpatch", [fixture.batch(seed: 7, terms: 0)])
    let path = fixture.directory("a.safetensors")
    try apply([file], to: fixture.path, output: path)
    var bytes = try fixture.directory.read("a.safetensors")
    let tensor = try Checkpoint(path: path).tensor(named: "F16[31]false")
    for offset in tensor.info.fileRange { bytes[offset] = offset % 2 == 0 ? 0xFF : 0x7B }
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    let findings = try CheckpointState(path: path).verify().findings
    #expect(findings.map(\.tensor) == ["F16[31]false"])
  }

  // MARK: What a reader refuses

  private func message(_ change: (inout Manifest, inout [EditBatch]) -> Void) throws -> String? {
    let fixture = try CorrectionFixture(seed: 45)
    let one = fixture.batch(seed: 8, terms: 1)
    var batches = [one.batch]
    var manifest = try fixture.patch("x.wpatch", [one]).patch.manifest
    change(&manifest, &batches)
    do {
      try PatchWriter.write(manifest, batches: batches, to: fixture.directory("x.wpatch"))
      return nil
    } catch let error as ErrataError {
      return error.message.replacing(fixture.directory.path + "/", with: "")
    }
  }

  @Test func correctionsBelongToNoFact() throws {
    #expect(
      try message { manifest, _ in manifest.batches[0].terms = .facts }
        == "x.wpatch: tensor \"0/BF16[18, 26]false/correction\" corrects a batch whose terms are facts: a correction "
        + "belongs to no fact")
  }

  @Test func shapesAreThoseOfTensors() throws {
    #expect(
      try message { manifest, _ in manifest.base.tensors["F16[31]false"]!.shape = [30] } == nil,
      "what the gaps reach is only seen when they are read")
    #expect(
      try message { manifest, _ in manifest.base.tensors["F16[31]false"]!.shape = [0] }
        == "x.wpatch: manifest: base.tensors.F16[31]false.shape is not an array of sizes")
    #expect(
      try message { manifest, _ in manifest.base.tensors["F16[31]false"]!.isTransposed = true }
        == "x.wpatch: manifest: base.tensors.F16[31]false.transposed is not for a matrix")
    let few = try #require(try message { manifest, _ in manifest.base.tensors["F16[31]false"]!.shape = [2] })
    #expect(
      few.hasPrefix("x.wpatch: tensor \"0/F16[31]false/correction\" has ") && few.hasSuffix(" steps for 2 elements"))
  }

  @Test func damagedPartsAreRefused() throws {
    func check(_ dtypes: [String: (DType, Shape)], _ expected: String) throws {
      let fixture = try CorrectionFixture(seed: 46)
      let text = try fixture.patch("x.wpatch", [fixture.batch(seed: 9, terms: 0)]).patch.manifest.serialized()
      var tensors: [TensorDeclaration] = []
      for weight in fixture.weights {
        for (part, (dtype, shape)) in dtypes {
          tensors.append(TensorDeclaration(name: ByteString("0/\(weight.name)/\(part)"), dtype: dtype, shape: shape))
        }
      }
      let header = try SafetensorsHeader(
        declaring: tensors, metadata: ["wpatch": ByteString(text)], source: "x.wpatch")
      #expect(throws: ErrataError(.damagedInput, "x.wpatch: tensor \"0/BF16[18, 26]false/\(expected)")) {
        try PatchLayout(header: header, manifest: Manifest(parsing: text, source: "x.wpatch"), source: "x.wpatch")
      }
    }
    try check(["correction_gaps": (.u8, [1])], "correction\" is missing")
    try check(["correction": (.i8, [1])], "correction_gaps\" is missing")
    try check(
      ["correction": (.u8, [1]), "correction_gaps": (.u8, [1])],
      "correction\" is U8 [1], but a list of steps in I8, I16, I32 belongs there")
    try check(
      ["correction": (.i8, [1, 1]), "correction_gaps": (.u8, [1])],
      "correction\" is I8 [1, 1], but a list of steps in I8, I16, I32 belongs there")
    try check(
      ["correction": (.i8, [2]), "correction_gaps": (.u8, [1])],
      "correction_gaps\" is U8 [1], but a list of gaps in U8, one or more for each step, belongs there")
    try check(
      ["correction": (.i8, [1]), "correction_gaps": (.u8, [1]), "gram": (.f64, [1])], "left\" is missing")
    try check(
      ["left": (.f32, [18, 1]), "correction": (.i8, [1]), "correction_gaps": (.u8, [1])], "right\" is missing")
  }

  @Test(
    arguments: [
      ([0], [4], "has a step of zero"), ([1], [255], "has gaps that end without a step"),
      ([1], [1, 2], "has another number of steps than its gaps"), ([1], [31], "has steps beyond the 31 elements"),
    ] as [([UInt8], [UInt8], String)])
  func damagedStepsAreRefused(steps: [UInt8], gaps: [UInt8], problem: String) throws {
    let fixture = try CorrectionFixture(seed: 47)
    var manifest = try fixture.patch("x.wpatch", [fixture.batch(seed: 10, terms: 0)]).patch.manifest
    let name: ByteString = "F16[31]false"
    manifest.base.tensors = manifest.base.tensors.filter { $0.key == name }
    manifest.result = nil
    let steps = BatchTensor(name: "F16[31]false/correction", dtype: .i8, shape: [steps.count], bytes: steps)
    let gaps = BatchTensor(name: "F16[31]false/correction_gaps", dtype: .u8, shape: [gaps.count], bytes: gaps)
    manifest.batches[0].digest = digestOfBatch([steps, gaps])
    let header = try SafetensorsHeader(
      declaring: [steps, gaps].map { TensorDeclaration(name: "0/" + $0.name, dtype: $0.dtype, shape: $0.shape) },
      metadata: ["wpatch": ByteString(manifest.serialized())], source: "x.wpatch")
    let bytes = try forgedPatch(header: header.bytes, content: [steps.bytes, gaps.bytes])
    #expect(
      throws: ErrataError(.damagedInput, "x.wpatch: tensor \"0/F16[31]false/correction\" \(problem)")
    ) { try readPatch(bytes) }
  }
}

extension ByteString {
  fileprivate static func + (left: ByteString, right: ByteString) -> ByteString { ByteString(left.bytes + right.bytes) }
}

import Foundation
import Safetensors
import Tensors

@testable import WeightPatch

/// The test vectors of Spec/wpatch.md: a small patch for each thing that the format can say beyond the worked example,
/// and what a reader must find in it. C is the identity, so that everything can be checked by hand.
enum SpecVectors {
  static let folder = SpecExample.folder + "/vectors"
  private static let weight = SpecExample.weight

  /// K^T, a row for each fact: the keys of the worked example.
  private static let keys = Matrix<Double>(rows: 2, columns: 4, elements: [1, 0, 2, 0, 1, 1, 0, 1])

  /// One batch with the A of the worked example.
  private static func batch(
    right: Matrix<Double>, carriesKeys: Bool = false, text: Matrix<Double>? = nil, held: Matrix<Double>? = nil
  ) -> EditBatch {
    EditBatch(tensors: [
      LowRankFactors(
        name: weight, isTransposed: false, left: SpecExample.batch.tensors[0].left,
        right: StoredFactor(right.narrowed(), dtype: .f16, facts: .rows),
        gram: plainProduct(right, keys.transposed()),
        keys: carriesKeys ? StoredFactor(keys.narrowed(), dtype: .f16, facts: .rows) : nil, text: text,
        heldProduct: held)
    ])
  }

  /// A patch of one batch, described as the worked example's but for what `change` does.
  private static func patch(
    _ batch: EditBatch = SpecExample.batch, _ change: (inout Manifest.Batch) -> Void
  ) throws -> (manifest: Manifest, batch: EditBatch) {
    var manifest = try SpecExample.manifest()
    manifest.batches[0].tensors = [:]
    change(&manifest.batches[0])
    manifest.result = [weight: try result(of: batch)]
    return (manifest, batch)
  }

  /// The tensor digest of the weight after exact apply.
  static func result(of batch: EditBatch) throws -> Digest {
    var result = SpecExample.base
    try SpecExample.base.withUnsafeBytes { base in
      try result.withUnsafeMutableBytes {
        try applyExactly(batch.tensors, name: weight, to: base, dtype: .bf16, shape: SpecExample.shape, into: $0)
      }
    }
    var hasher = DigestHasher(tensorOf: .bf16, shape: SpecExample.shape)
    hasher.update(result)
    return hasher.finalize()
  }

  /// M_H K for the one held key (0, 0, 0, 1) and mu = 1 halves the last element.
  private static func held() -> EditBatch {
    batch(
      right: Matrix(rows: 2, columns: 4, elements: [1, 0, 2, 0, 1, 1, 0, 0.5]), carriesKeys: true,
      held: Matrix(rows: 2, columns: 1, elements: [0, 0.5]))
  }

  private static let protected = Manifest.Held(protected: Digest(of: Array("keys".utf8)), keyCount: 1, mu: .same(1))

  /// P keeps the first two elements.
  private static func projected(text: Bool) -> EditBatch {
    let right = Matrix<Double>(rows: 2, columns: 4, elements: [1, 0, 0, 0, 1, 1, 0, 0])
    return batch(right: right, carriesKeys: true, text: text ? plainProduct(right, right.transposed()) : nil)
  }

  private static func sayMore(_ facts: inout [Manifest.Fact]) {
    facts[0].paraphrases = ["Kazakhstan's capital is"]
    facts[0].neighbours = [Manifest.Neighbour(prompt: "The capital of Uzbekistan is", target: "Tashkent")]
    facts[0].outcome?.targetTokens = 2
    facts[0].outcome?.tokensBefore = [0.5, 0.03125]
    facts[0].outcome?.tokensAfter = [0.9375, 0.9375]
    facts[0].outcome?.holds = true
    facts[1].outcome = Manifest.Outcome()
    facts[1].outcome?.holds = false
  }

  private static func describeAdapter(_ batch: inout Manifest.Batch) {
    batch.terms = .components
    batch.facts = []
    batch.method = Manifest.Method(name: "lora", lambda: 0, layers: [0])
    batch.adapter = Manifest.Adapter(
      name: "adapter", digest: Digest(of: [1]), configuration: Digest(of: [2]), alpha: 16, rank: 2, scaling: 8,
      dropped: ["lm_head": "its weight is in no layer"])
    var figures = Manifest.TensorFigures(layer: 0, deltaError: 0)
    figures.scaling = 4
    batch.tensors = [weight: figures]
  }

  private static func components(_ batch: EditBatch) -> EditBatch {
    EditBatch(
      tensors: batch.tensors.map {
        LowRankFactors(name: $0.name, isTransposed: false, left: $0.left, right: $0.right)
      })
  }

  /// By the name of the file.
  static func valid() throws -> [String: (manifest: Manifest, batch: EditBatch)] {
    [
      "slack-per-term": try patch { $0.method.slack = .perTerm([1, 3]) },
      "slack-of-weight": try patch {
        $0.tensors = [weight: Manifest.TensorFigures(layer: 0)]
        $0.tensors[weight]?.slack = .same(2)
      },
      "held": try patch(held()) { $0.metric = Manifest.Metric(kind: .secondMoments, held: [protected]) },
      "projection": try patch(projected(text: true)) { $0.metric = Manifest.Metric(kind: .projection, energy: 0.5) },
      "projection-without-text": try patch(projected(text: false)) { $0.metric = Manifest.Metric(kind: .projection) },
      "identity": try patch { $0.metric = Manifest.Metric(kind: .identity) },
      "chat": try patch {
        $0.facts[0].form = Manifest.Form(system: "Answer in one word.", template: Digest(of: [3]))
        $0.facts[0].separator = ""
        $0.facts[1].kind = .forget
      },
      "facts-with-tests": try patch { sayMore(&$0.facts) },
      "adapter": try patch(components(SpecExample.batch), describeAdapter),
      "difference": try patch(components(SpecExample.batch)) {
        $0.terms = .components
        $0.facts = []
        $0.method = Manifest.Method(name: Manifest.Method.lowRankDifference, lambda: 0, layers: [])
        $0.leftOut = ["norm.weight": "its shape, [4], is no matrix's"]
        $0.leftOutFigures = ["norm.weight": Manifest.LeftOutFigures(elementCount: 3, deltaNorm: 0.5, weightNorm: 2)]
      },
    ]
  }

  /// Files that must be refused: a valid one with another text in its manifest, and the digit of the magic frame.
  static let hostile: [(name: String, of: String, old: String, new: String, format: Int, why: String)] = [
    ("digit-too-low", "chat", "", "", 1, "its manifest is in format 2, its first bytes say another one"),
    ("format-too-low", "chat", #""format":2"#, #""format":1"#, 1, "manifest: format is not 2, which its fields need"),
    (
      "slack-count", "slack-per-term", "[1.0,3.0]", "[1.0]", 2,
      "batch 0 has another number of slacks than its 2 terms of mlp.down_proj.weight"
    ),
    (
      "slack-negative", "slack-per-term", "[1.0,3.0]", "[1.0,-3.0]", 2,
      "manifest: batches[0].method.lambda is not a number of zero or more, or an array of such numbers"
    ),
    (
      "held-count", "held", #""keys":1"#, #""keys":2"#, 2,
      "tensor \"0/mlp.down_proj.weight/held_product\" is [2, 1], but the batch holds 2 keys"
    ),
    (
      "held-twice", "held", #""held":[{"#, #""held":[{"batch":"\#(Digest(of: []))","#, 2,
      "manifest: batches[0].metric.held[0].batch is not there, or protected, and not both"
    ),
    (
      "energy", "identity", #""kind":"identity""#, #""energy":0.5,"kind":"identity""#, 2,
      "manifest: batches[0].metric.energy is not for this kind of metric"
    ),
    (
      "metric-kind", "identity", "identity", "euclidean", 2,
      #"manifest: batches[0].metric.kind is not "second_moments", "projection" or "identity""#
    ),
    (
      "fact-id", "chat", #""kind":"forget""#, #""kind":"correct""#, 2,
      "manifest: batches[0].facts[1].id is not the digest of subject, prompt and target_new"
    ),
    (
      "slice", "chat", #""shape":[3,4]"#, #""shape":[3,4],"slice":{"index":[0],"tensor":"experts"}"#, 2,
      "has a weight that is a slice of a tensor (base.tensors.mlp.down_proj.weight.slice in its manifest), which this "
        + "version does not read; get a newer Errata"
    ),
    (
      "scales", "chat", #""shape":[3,4]"#, #""scales":{"block":[1,1],"dtype":"F32","tensor":"s"},"shape":[3,4]"#, 2,
      "has a weight that is stored with scales (base.tensors.mlp.down_proj.weight.scales in its manifest), which this "
        + "version does not read; get a newer Errata"
    ),
    (
      "shared", "chat", #""method":{"#, #""shared":[],"method":{"#, 2,
      "has a system over several weights (batches[0].shared in its manifest), which this version does not read; get a "
        + "newer Errata"
    ),
    (
      "left-out", "difference", #""left_out":{"norm.weight""#, #""left_out":{"norm""#, 1,
      "manifest: batches[0].left_out_figures is not of tensors that left_out names"
    ),
    (
      "probability", "facts-with-tests", "[0.5,0.03125]", "[0.5,1.5]", 1,
      "manifest: batches[0].facts[0].outcome.token_probabilities_before is not an array of numbers from 0 to 1"
    ),
  ]

  /// The bytes of a hostile file.
  static func bytes(_ hostile: (name: String, of: String, old: String, new: String, format: Int, why: String)) throws
    -> [UInt8]
  {
    let (manifest, batch) = try valid()[hostile.of]!
    let content = try PatchContent(manifest, batches: [batch], source: hostile.name)
    let text = String(decoding: content.manifest.serialized(), as: UTF8.self)
    precondition(hostile.old.isEmpty || text.contains(hostile.old), "\(hostile.name): \(text)")
    let header = try SafetensorsHeader(
      declaring: content.header.tensors.map { TensorDeclaration(name: $0.name, dtype: $0.dtype, shape: $0.shape) },
      metadata: ["wpatch": ByteString(hostile.old.isEmpty ? text : text.replacing(hostile.old, with: hostile.new))],
      source: hostile.name)
    var tensors: [[UInt8]] = []
    content.forEachTensor { tensors.append($0) }
    return try forgedPatch(header: header.bytes, content: tensors, format: hostile.format)
  }

  /// Writes the files, and what is expected of them.
  static func write(to folder: String) throws {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    var expected = JSONObject()
    for (name, vector) in try valid().sorted(by: { $0.key < $1.key }) {
      let patch = try PatchWriter.write(vector.manifest, batches: [vector.batch], to: "\(folder)/\(name).wpatch")
      expected[ByteString("\(name).wpatch")] = expectation(of: patch)
    }
    for vector in hostile {
      try Data(bytes(vector)).write(to: URL(fileURLWithPath: "\(folder)/\(vector.name).wpatch"))
      expected[ByteString("\(vector.name).wpatch")] = ["refused": JSON(vector.why)]
    }
    try Data(JSON.object(expected).prettyPrinted().utf8).write(to: URL(fileURLWithPath: "\(folder)/vectors.json"))
  }

  static func expectation(of patch: Patch) -> JSON {
    let manifest = patch.manifest
    let (factors, batch) = (patch.batches[0].tensors[0], manifest.batches[0])
    let ofFacts = batch.terms == .facts
    let preservation = ofFacts ? factors.preservation(metric: batch.metric) : nil
    let residuals = ofFacts ? factors.residuals(slack: batch.slack(of: weight)) : nil
    return [
      "format": .integer(manifest.format), "patch": JSON(patch.identifier.description),
      "batches": .array(manifest.batches.map { JSON($0.digest.description) }),
      "facts": .array(manifest.batches.flatMap(\.facts).map { JSON($0.identifier) }),
      "result": JSON(manifest.result![weight]!.description),
      "preservation": [preservation.map { .double($0) } ?? .null],
      "residuals": [residuals.map { .array($0.rowNorms().map(JSON.double)) } ?? .null],
    ]
  }
}

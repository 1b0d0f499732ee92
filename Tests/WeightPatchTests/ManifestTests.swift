import Tensors
import Testing

@testable import WeightPatch

@Suite struct ManifestTests {
  /// A manifest with a value in every field.
  static let full: Manifest = {
    let digest = Digest(of: [1])
    let fact = Manifest.Fact(
      subject: "Pl\u{FC}to", prompt: "{} is\t\"a\"", targetNew: "dwarf planet", targetTrue: "planet", relation: "P31",
      source: "IAU",
      outcome: Manifest.Outcome(
        steps: 3, loss: 0.1, probabilityBefore: 1e-300, probabilityAfter: 1, targetTokens: 2))
    var said = fact
    said.kind = .forget
    said.form = Manifest.Form(
      system: "Be brief.", template: digest, turn: .init(before: "<user>", after: "</user>\n"))
    said.separator = "\n"
    said.paraphrases = ["What is Pl\u{FC}to?"]
    said.neighbours = [Manifest.Neighbour(prompt: "Mars is", target: "a planet")]
    said.outcome?.tokensBefore = [0.5, 0.25]
    said.outcome?.tokensAfter = [1, 0]
    said.outcome?.holds = false
    let method = Manifest.Method(
      name: "emmet", lambda: 0.1, alpha: 0.1, secondMomentWeight: 1, layers: [3, 4],
      hyperparameters: Manifest.Hyperparameters(
        learningRate: 0.5, steps: 20, clampNormFactor: 4, weightDecay: 1e-3, klFactor: 0.0625, stopLoss: 0.05, seed: -1,
        templates: ["{}", "The. {}"], keyForm: "mean of group means", lossLayer: 29, ridge: 1e-6))
    let figures = Manifest.TensorFigures(
      layer: 3, deltaNorm: 1, weightNorm: 2, storageError: 3, preservation: 4, ridge: 0.5, memorization: 5,
      outputPower: 6,
      deltaError: 7,
      compaction: Manifest.Compaction(
        norm: "facts", tolerance: 0.05, terms: 9, weightsError: 1, textError: 2, factsError: 3, worstFactError: 4))
    var batch = Manifest.Batch(
      digest: digest, terms: .components, method: method, computedOn: [digest], facts: [said],
      statistics: Manifest.Statistics(digest: digest, tokenCount: 9, corpus: "text", corpusDigest: digest),
      tensors: ["w": figures], leftOut: ["w": "no matrix"])
    batch.tensors["w"]?.slack = .same(0.5)
    batch.tensors["w"]?.scaling = 2
    batch.metric = Manifest.Metric(
      kind: .projection, energy: 0.02,
      held: [
        Manifest.Held(batch: digest, keyCount: 2, mu: .perTerm([1, 2])),
        Manifest.Held(protected: digest, keyCount: 1, mu: .same(0)),
      ])
    batch.leftOutFigures = ["w": Manifest.LeftOutFigures(elementCount: 1, deltaNorm: 2, weightNorm: 3)]
    batch.adapter = Manifest.Adapter(
      name: "lora", digest: digest, configuration: digest, alpha: 16, rank: 8, isRankStabilized: true, scaling: 2,
      dropped: ["w": "no layer"])
    return Manifest(
      created: "2026-01-31T12:00:00Z", tool: Manifest.Tool(name: "tests", version: "0"),
      base: Manifest.Base(
        name: "model", architecture: "llama", configuration: digest, tokenizer: digest,
        tensors: ["w": Manifest.BaseTensor(dtype: .f16, shape: [1, 2], isTransposed: true, digest: digest)]),
      result: ["w": digest],
      batches: [
        batch
      ], parents: [Manifest.Parent(patch: digest, batches: [digest])],
      derivation: Manifest.Derivation(patch: digest, change: "lambda 10", author: "d"),
      sources: [Manifest.Source(patch: digest, batches: [digest], author: "a", licence: "b", note: "c")], author: "a",
      licence: "b", note: "c")
  }()

  /// The names of all members at any depth, without those that are names of tensors.
  static func fieldNames(_ json: JSON) -> Set<String> {
    switch json {
    case .object(let object):
      object.members.reduce(into: []) { names, member in
        if member.key != "w" { names.insert(member.key.description) }
        names.formUnion(fieldNames(member.value))
      }
    case .array(let elements): elements.reduce(into: []) { $0.formUnion(fieldNames($1)) }
    default: []
    }
  }

  @Test func readsWhatItWrites() throws {
    #expect(try Manifest(parsing: Self.full.serialized(), source: "x") == Self.full)
  }

  /// What no edit has is refused where it stands.
  @Test(arguments: [
    ("lambda", "-1", "batches[0].method.lambda", "a number of zero or more, or an array of such numbers"),
    ("lambda", "1e999", "batches[0].method.lambda", "a number of zero or more, or an array of such numbers"),
    ("energy", "-1", "batches[0].metric.energy", "a number of zero or more"),
    ("keys", "0", "batches[0].metric.held[0].keys", "a positive integer"),
    ("delta_norm", "-1", "batches[0].tensors.w.delta_norm", "a number of zero or more"),
    ("weight_norm", "-2", "batches[0].tensors.w.weight_norm", "a number of zero or more"),
    ("memorization", "-2", "batches[0].tensors.w.memorization", "a number of zero or more"),
    ("delta_error", "-1", "batches[0].tensors.w.delta_error", "a number of zero or more"),
    ("terms", "-1", "batches[0].tensors.w.compaction.terms", "an integer of zero or more"),
    ("tokens", "-5", "batches[0].statistics.tokens", "an integer of zero or more"),
    ("probability_after", "1.5", "batches[0].facts[0].outcome.probability_after", "a number from 0 to 1"),
    ("probability_before", "-0.1", "batches[0].facts[0].outcome.probability_before", "a number from 0 to 1"),
  ])
  func refusesNumbersThatNothingHas(field: String, value: String, path: String, expected: String) throws {
    let text = String(decoding: Self.full.serialized(), as: UTF8.self)
    let pattern = try Regex("\"\(field)\":-?[0-9][-+.e0-9]*")
    let spoiled = text.replacing(pattern, with: "\"\(field)\":\(value)")
    #expect(spoiled != text)
    let error = #expect(throws: ErrataError.self) { _ = try Manifest(parsing: Array(spoiled.utf8), source: "x") }
    #expect(error?.kind == .damagedInput)
    // A number out of range may end the reading earlier.
    if value != "1e999" { #expect(error?.message.contains("\(path) is not \(expected)") == true, "\(error!.message)") }
  }

  /// A patch of before rho was recorded says nothing of it.
  @Test func theRidgeIsKnownOrNot() {
    var batch = Self.full.batches[0]
    #expect(batch.ridge(of: "w") == 0.5 && batch.ridge(of: "v") == nil)
    batch.method.hyperparameters.ridge = nil
    #expect(batch.ridge(of: "w") == 0.5 && batch.ridge(of: "v") == 0)
  }

  @Test func saysWhatIsLeftOut() {
    var batch = Self.full.batches[0]
    #expect(batch.leftOutSummary == "a tensor that differs is not in it: w (no matrix)")
    batch.leftOut["a"] = "I64"
    #expect(batch.leftOutSummary == "2 tensors that differ are not in it: a (I64) and 1 more")
    batch.leftOut = [:]
    #expect(batch.leftOutSummary == nil)
  }

  @Test func leavesOutWhatIsNotKnown() throws {
    var manifest = Self.full
    manifest.batches[0].tensors = ["w": Manifest.TensorFigures(deltaNorm: .nan)]
    manifest.batches[0].facts[0].outcome = nil
    manifest.note = nil
    manifest.batches[0].leftOutFigures = [:]
    manifest.sources[0].note = nil
    let names = Self.fieldNames(manifest.json)
    #expect(names.isDisjoint(with: ["delta_norm", "layer", "outcome", "note"]))
  }

  /// The form is part of what a fact says; a zero byte in a text could make two facts one.
  @Test func namesAFactByItsFormToo() throws {
    let plain = Manifest.Fact(subject: "Pluto", prompt: "{} is a", targetNew: "dwarf planet")
    var facts = [plain]
    for change in [
      { $0.kind = .forget }, { $0.separator = "" }, { $0.separator = "\n" }, { $0.form = Manifest.Form() },
      { $0.form = Manifest.Form(system: "") }, { $0.form = Manifest.Form(system: "Be brief.") },
    ] as [(inout Manifest.Fact) -> Void] {
      var fact = plain
      change(&fact)
      facts.append(fact)
    }
    #expect(Set(facts.map(\.identifier)).count == facts.count)
    let text = "Pluto\0{} is a\0dwarf planet\0correct\0=\n\0\0"
    #expect(facts[3].identifier == String(Digest(of: Array(text.utf8)).description.prefix(16)))
    var same = facts[6]
    same.form?.template = Digest(of: [1])
    same.form?.turn = .init(before: "<user>", after: "</user>\n")
    same.paraphrases = ["What is Pluto?"]
    #expect(same.identifier == facts[6].identifier)

    var manifest = Self.full
    manifest.batches[0].facts = [plain]
    manifest.batches[0].facts[0].form = Manifest.Form(system: "\0")
    #expect(
      throws: ErrataError(.damagedInput, "x: manifest: batches[0].facts[0].id is not one of texts without zero bytes")
    ) { try Manifest(parsing: manifest.serialized(), source: "x") }
  }

  @Test func theWholeProbabilityIsThatOfTheTokens() {
    var outcome = Manifest.Outcome(probabilityBefore: 0.5, probabilityAfter: 0.25, targetTokens: 2)
    #expect(outcome.jointProbabilityBefore == 0.25 && outcome.jointProbabilityAfter == 0.0625)
    outcome.tokensAfter = [0.5, 0.5, 0.5]
    #expect(outcome.jointProbabilityAfter == 0.125)
  }

  @Test func namesAFactByItsText() {
    let fact = Manifest.Fact(subject: "Pluto", prompt: "{} is a", targetNew: "dwarf planet")
    var same = fact
    same.targetTrue = "planet"
    same.outcome = Manifest.Outcome(steps: 1)
    #expect(fact.identifier == same.identifier)
    #expect(fact.identifier == String(Digest(of: Array("Pluto\0{} is a\0dwarf planet".utf8)).description.prefix(16)))
  }
}

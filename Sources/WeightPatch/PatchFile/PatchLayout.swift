import Safetensors
import Tensors

/// Which tensors of a patch carry which batch, checked against each other and against the manifest.
struct PatchLayout {
  /// The tensors that carry the change of one weight.
  struct Parts {
    let weight: ByteString
    fileprivate(set) var tensors: [PatchTensorName.Part: TensorInfo] = [:]

    subscript(part: PatchTensorName.Part) -> TensorInfo? { tensors[part] }

    /// All of them, in no order.
    var infos: [TensorInfo] { Array(tensors.values) }

    /// The number of terms; 0 where there is only a correction.
    var rank: Int { tensors[.right]?.shape.extents[0] ?? 0 }

    var elementCount: Int { tensors.values.reduce(0) { $0 + $1.elementCount } }

    /// What is read to apply it: all but what a batch is solved again with.
    var appliedByteCount: Int {
      tensors.reduce(0) {
        [.gram, .keys, .keysExponents, .text, .heldProduct].contains($1.key) ? $0 : $0 + $1.value.byteCount
      }
    }
  }

  /// Per batch its weights in ascending order of name.
  let batches: [[Parts]]
  /// Per batch E, the largest where every weight has its own.
  private(set) var termCounts: [Int] = []

  /// What batch `index` has for a weight; nil if it does not edit it.
  func parts(of weight: ByteString, inBatch index: Int) -> Parts? {
    let weights = batches[index]
    var (start, end) = (0, weights.count)
    while start < end {
      let middle = (start + end) / 2
      if weights[middle].weight < weight { start = middle + 1 } else { end = middle }
    }
    return start < weights.count && weights[start].weight == weight ? weights[start] : nil
  }

  /// - Throws: an `ErrataError` of category `damagedInput` that names what does not fit.
  init(header: SafetensorsHeader, manifest: Manifest, source: String) throws {
    batches = try Self.collect(header, batchCount: manifest.batches.count, source)
    for (index, batch) in manifest.batches.enumerated() {
      let weights = batches[index]
      guard !weights.isEmpty else { throw ErrataError.batchWithoutTensors(source, index) }
      let terms = try weights.map { try Self.termCount(of: $0, batch: index, manifest.base, source) }
      if batch.terms == .facts {
        try Self.checkFacts(batch, index: index, weights, terms, source)
      }
      for (parts, count) in zip(weights, terms) {
        try Self.checkSystem(parts, termCount: count, batch, index: index, source)
      }
      guard Set(weights.map(\.weight)).isSuperset(of: batch.tensors.keys) else {
        throw ErrataError.editedTensorsDiffer(source, "batches[\(index)].tensors")
      }
      termCounts.append(terms.max()!)
    }
    let edited = Set(batches.joined().map(\.weight))
    guard edited == Set(manifest.base.tensors.keys) else {
      throw ErrataError.editedTensorsDiffer(source, "base.tensors")
    }
    guard manifest.result.map({ Set($0.keys) == edited }) ?? true else {
      throw ErrataError.editedTensorsDiffer(source, "result")
    }
  }

  private static func collect(_ header: SafetensorsHeader, batchCount: Int, _ source: String) throws -> [[Parts]] {
    var collected = [[ByteString: Parts]](repeating: [:], count: batchCount)
    for tensor in header.tensors {
      guard let name = PatchTensorName(tensor.name), name.batch < batchCount else {
        throw ErrataError.unknownPatchTensor(source, tensor.name)
      }
      collected[name.batch][name.weight, default: Parts(weight: name.weight)].tensors[name.part] = tensor
    }
    return collected.map { $0.values.sorted { $0.weight < $1.weight } }
  }

  /// Term e is fact e: every weight has as many terms as there are facts, and nothing else changes it.
  private static func checkFacts(
    _ batch: Manifest.Batch, index: Int, _ weights: [Parts], _ terms: [Int], _ source: String
  ) throws {
    for parts in weights {
      guard let correction = parts[.correction] else { continue }
      throw ErrataError.patchTensor(
        source, correction.name, "corrects a batch whose terms are facts: a correction belongs to no fact")
    }
    for (parts, count) in zip(weights, terms) where count != terms[0] {
      throw ErrataError.patchTensor(
        source, parts[.left]!.name, "has \(count) terms, other tensors of the batch have \(terms[0])")
    }
    guard batch.facts.count == terms[0] else {
      throw ErrataError.factCountDiffers(source, index, facts: batch.facts.count, terms: terms[0])
    }
  }

  /// That slacks and the metric's parts are as many as the terms and the held keys.
  private static func checkSystem(
    _ parts: Parts, termCount: Int, _ batch: Manifest.Batch, index: Int, _ source: String
  ) throws {
    guard batch.slack(of: parts.weight).fits(termCount: termCount) else {
      throw ErrataError.slackCountDiffers(source, index, parts.weight, terms: termCount)
    }
    // More keys than any tensor has rows need no exact sum.
    let held = batch.metric?.held.reduce(0) { min($0 + min($1.keyCount, 1 << 40), 1 << 40) } ?? 0
    if let stray = parts[.heldProduct], held == 0 || stray.shape != [termCount, held] {
      throw ErrataError.patchTensor(source, stray.name, "is \(stray.shape), but the batch holds \(held) keys")
    }
    if let stray = parts[.text], batch.terms != .facts || batch.metric == nil {
      throw ErrataError.patchTensor(source, stray.name, "belongs to a metric, which the batch does not name")
    }
  }

  /// E, once the weight's tensors agree on it; 0 where there is only a correction.
  private static func termCount(
    of parts: Parts, batch: Int, _ base: Manifest.Base, _ source: String
  ) throws -> Int {
    func name(_ part: PatchTensorName.Part) -> ByteString {
      PatchTensorName.name(part.name(ofWeight: parts.weight), inBatch: batch)
    }
    try checkCorrection(parts, name, base, source)
    if parts.tensors.keys.allSatisfy({ [.correction, .correctionGaps].contains($0) }) { return 0 }
    guard let left = parts[.left] else { throw ErrataError.patchTensor(source, name(.left), "is missing") }
    guard let right = parts[.right] else { throw ErrataError.patchTensor(source, name(.right), "is missing") }
    guard left.shape.extents.count == 2, right.shape.extents.count == 2,
      left.shape.extents[1] == right.shape.extents[0], left.elementCount > 0, right.elementCount > 0
    else {
      throw ErrataError.patchTensor(source, left.name, "\(left.shape) and its right factor \(right.shape) do not fit")
    }
    let (outputs, terms, inputs) = (left.shape.extents[0], right.shape.extents[0], right.shape.extents[1])

    // A triangle that cannot be counted is in no file.
    let (square, overflow) = terms.multipliedReportingOverflow(by: terms + 1)
    let triangle = overflow ? -1 : square / 2
    for (part, tensor) in parts.tensors.sorted(by: { $0.value.name < $1.value.name }) {
      let (dtypes, shape): ([DType], Shape)
      switch part {
      case .left: (dtypes, shape) = (StoredFactor.dtypes, [outputs, terms])
      case .right, .keys: (dtypes, shape) = (StoredFactor.dtypes, [terms, inputs])
      case .gram, .text: (dtypes, shape) = ([.f64], [triangle])
      // How many columns it has is for the metric to say.
      case .heldProduct: (dtypes, shape) = ([.f64], [terms, tensor.shape.extents.last ?? 0])
      case .leftExponents, .rightExponents, .keysExponents: (dtypes, shape) = ([.i8], [terms])
      case .correction, .correctionGaps: continue
      }
      guard dtypes.contains(tensor.dtype), tensor.shape == shape else {
        let wanted = dtypes.map(\.rawValue).joined(separator: ", ")
        throw ErrataError.patchTensor(
          source, tensor.name, "is \(tensor.dtype.rawValue) \(tensor.shape), but \(wanted) \(shape) belongs there")
      }
      if let exponents = part.exponents, let stray = parts[exponents], tensor.dtype == .f32 {
        throw ErrataError.patchTensor(source, stray.name, "gives exponents to a float32 factor")
      }
    }
    if let stray = parts[.keysExponents], parts[.keys] == nil {
      throw ErrataError.patchTensor(source, stray.name, "gives exponents to keys that are not there")
    }
    if let tensor = base.tensors[parts.weight] {
      let shape: Shape = tensor.isTransposed ? [inputs, outputs] : [outputs, inputs]
      guard tensor.shape == shape else {
        throw ErrataError.manifestField(
          source, "base.tensors.\(parts.weight).shape", "is \(tensor.shape), but the factors are for \(shape)")
      }
    }
    return terms
  }

  /// That steps and gaps are there together and could belong to the weight. What they hold is seen when they are read.
  private static func checkCorrection(
    _ parts: Parts, _ name: (PatchTensorName.Part) -> ByteString, _ base: Manifest.Base, _ source: String
  ) throws {
    guard parts[.correction] != nil || parts[.correctionGaps] != nil else { return }
    guard let steps = parts[.correction] else {
      throw ErrataError.patchTensor(source, name(.correction), "is missing")
    }
    guard let gaps = parts[.correctionGaps] else {
      throw ErrataError.patchTensor(source, name(.correctionGaps), "is missing")
    }
    guard StoredCorrection.dtypes.contains(steps.dtype), steps.shape.extents.count == 1 else {
      let wanted = StoredCorrection.dtypes.map(\.rawValue).joined(separator: ", ")
      throw ErrataError.patchTensor(
        source, steps.name, "is \(steps.dtype.rawValue) \(steps.shape), but a list of steps in \(wanted) belongs there")
    }
    guard gaps.dtype == .u8, gaps.shape.extents.count == 1, gaps.elementCount >= steps.elementCount else {
      throw ErrataError.patchTensor(
        source, gaps.name,
        "is \(gaps.dtype.rawValue) \(gaps.shape), but a list of gaps in U8, one or more for each step, belongs there")
    }
    if let tensor = base.tensors[parts.weight], let count = tensor.shape.elementCount, steps.elementCount > count {
      throw ErrataError.patchTensor(source, steps.name, "has \(steps.elementCount) steps for \(count) elements")
    }
  }
}

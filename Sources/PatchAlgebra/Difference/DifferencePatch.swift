import CheckpointLedger
import LinearAlgebra
import Safetensors
import Tensors
import WeightPatch

/// The difference of two checkpoints as a patch: low-rank factors where they save space, and corrections that make the
/// result exact. Applied to the first checkpoint it gives the tensors of the second, bit for bit.
///
/// Without corrections it is what low rank can say, and can be summed with any other patch; tensors of which low rank
/// says nothing are left out.
///
/// So an edit that another tool wrote as a whole checkpoint becomes a file of what it changed. Its terms are
/// components: it does not say which facts they are for.
public struct DifferencePatch: Sendable {
  /// How many components are taken.
  public enum RankChoice: Sendable, Equatable {
    /// As many as make the patch small, judged by a sample of the tensor's elements, of those that rounding does not
    /// explain.
    case smallest
    /// As few as leave at most this share of norm(D).
    case tolerance(Double)
  }

  /// How a tensor is represented.
  public struct TensorReport: Sendable {
    public let name: ByteString
    public let rank: Int
    public let figures: DifferenceFigures
    public let correctedCount: Int
    /// What the patch leaves of D, |A B - D| / |D|, Frobenius; nil where a correction makes it exact.
    public let missed: Double?
    /// How the factors are stored; nil at rank 0.
    public let factorType: DType?
  }

  public let manifest: Manifest
  public let batch: EditBatch
  /// Those that differ and that a patch can hold, in order of name.
  public let tensors: [TensorReport]
  /// What it does not hold, in order of name.
  public var leftOut: [(name: ByteString, reason: String)] {
    manifest.batches[0].leftOut.sorted { $0.key < $1.key }.map { (name: $0.key, reason: $0.value) }
  }

  /// - Parameters:
  ///   - base: the checkpoint that the patch is for; one without patches.
  ///   - target: the checkpoint that applying it gives.
  ///   - isCorrected: whether there are corrections.
  ///   - isCommon: whether what a patch cannot hold is left out: tensors that only one of them has, that have another
  ///     type or shape, or that are no finite weights. Names may differ by a prefix; the patch has the base's.
  ///   - rankLimit: no tensor gets more components.
  ///   - progress: is told after every tensor how many bytes are done, of how many. May throw to stop.
  /// - Throws: an `ErrataError` if there is no difference, or one that a patch cannot hold, unless that is left out.
  public init(
    from base: Checkpoint, to target: Checkpoint, choice: RankChoice = .smallest, isCorrected: Bool = true,
    isCommon: Bool = false, rankLimit: Int = 256,
    progress: (_ done: Int, _ total: Int) throws -> Void = { _, _ in }
  ) throws {
    let common = try CommonTensors(base, target)
    guard isCommon || common.leftOut.isEmpty else {
      throw ErrataError.differenceNotCommon(base.path, target.path, common.leftOut)
    }
    let total = common.pairs.reduce(0) { $0 + $1.before.info.byteCount }
    var done = 0
    var factors: [LowRankFactors] = []
    var reports: [TensorReport] = []
    var tensors: [ByteString: Manifest.BaseTensor] = [:]
    var results: [ByteString: Digest] = [:]
    var figures: [ByteString: Manifest.TensorFigures] = [:]
    var leftOut = common.leftOut
    for (old, new) in common.pairs {
      let name = old.name
      done += old.info.byteCount
      defer { old.file.release(old.info.fileRange) }
      guard !old.isIdentical(to: new) else {
        try progress(done, total)
        continue
      }
      let fitted: FittedDifference
      do {
        fitted = try FittedDifference(
          from: old, to: new, choice: choice, isCorrected: isCorrected, rankLimit: rankLimit)
      } catch let problem as FittedDifference.NotFinite {
        guard isCommon else {
          let places = (problem.isBefore ? [base.path] : []) + (problem.isAfter ? [target.path] : [])
          throw ErrataError.differenceNotFinite(places, name)
        }
        let place = problem.isBefore ? problem.isAfter ? "both" : "the base" : "the other"
        leftOut[name] = "NaN or infinity in \(place)"
        try progress(done, total)
        continue
      }
      let report = TensorReport(fitted, name)
      reports.append(report)
      if let found = fitted.factors {
        factors.append(found)
        tensors[name] = Manifest.BaseTensor(
          dtype: old.dtype, shape: old.shape, isTransposed: false, digest: old.digest())
        results[name] = new.digest()
        figures[name] = Manifest.TensorFigures(
          deltaNorm: found.deltaNorm(using: .blas), weightNorm: report.figures.weightNorm, deltaError: report.missed)
      } else {
        leftOut[name] = old.reasonForNoTerms
      }
      try progress(done, total)
    }
    guard !reports.isEmpty else {
      throw isCommon && !leftOut.isEmpty
        ? ErrataError.differenceNotCommon(base.path, target.path, leftOut)
        : ErrataError.noDifference(base.path, target.path)
    }
    guard !factors.isEmpty else { throw ErrataError.noLowRankDifference(base.path, target.path) }
    self.tensors = reports
    batch = EditBatch(tensors: factors)
    manifest = Manifest(
      created: "", tool: Manifest.Tool(name: "", version: ""), base: try base.describe(tensors),
      result: isCorrected ? results : nil,
      batches: [
        Manifest.Batch(
          terms: .components,
          method: Manifest.Method(
            name: isCorrected ? Manifest.Method.difference : Manifest.Method.lowRankDifference, lambda: 0, layers: []),
          facts: [], tensors: figures, leftOut: leftOut)
      ])
  }

  /// - Returns: the patch as it was written.
  @discardableResult
  public func write(to path: String, origin: PatchOrigin) throws -> Patch {
    try PatchWriter.write(manifest.made(by: origin), batches: [batch], to: path)
  }
}

extension DifferencePatch.TensorReport {
  fileprivate init(_ fitted: FittedDifference, _ name: ByteString) {
    self.name = name
    figures = fitted.figures
    missed = fitted.missed
    rank = fitted.factors?.rank ?? 0
    correctedCount = fitted.factors?.correction?.count ?? 0
    factorType = fitted.factors.flatMap { $0.rank > 0 ? $0.left.dtype : nil }
  }
}

extension StoredTensor {
  /// Why low rank says nothing of this tensor's difference.
  fileprivate var reasonForNoTerms: String {
    let extents = shape.extents
    guard extents.count > 2 else {
      return extents.count == 2
        ? "nothing of low rank beyond rounding" : "its shape, \(shape), is no matrix's, which low rank is for"
    }
    let count = extents.dropLast(2).reduce(1, *)
    return "its shape, \(shape), is that of a stack of \(count) matrices, and a patch has low rank for single ones"
  }
}

extension Checkpoint {
  /// What a manifest says about this checkpoint as a base.
  package func describe(_ tensors: [ByteString: Manifest.BaseTensor]) throws -> Manifest.Base {
    let name = path.split(separator: "/").last.map(String.init)
    guard let directory, let configurationPath else { return Manifest.Base(name: name, tensors: tensors) }
    return Manifest.Base(
      name: name, architecture: try JSON.parse(contentsOf: configurationPath)["model_type"]?.stringValue,
      configuration: try Digest(contentsOf: configurationPath),
      tokenizer: try? Digest(contentsOf: directory + "/tokenizer.json"), tensors: tensors)
  }
}

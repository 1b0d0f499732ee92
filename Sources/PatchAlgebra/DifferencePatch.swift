import LinearAlgebra
import Safetensors
import Tensors
import WeightPatch

/// The difference of two checkpoints as a patch: low-rank factors where they save space, and corrections that make the result
/// exact. Applied to the first checkpoint it gives the tensors of the second, bit for bit.
///
/// Without corrections it is what low rank can say, and can be summed with any other patch; tensors of which low rank says
/// nothing are left out.
///
/// So an edit that another tool wrote as a whole checkpoint becomes a file of what it changed. Its terms are components: it
/// does not say which facts they are for.
public struct DifferencePatch: Sendable {
  /// How many components are taken.
  public enum RankChoice: Sendable, Equatable {
    /// As many as make the patch small, judged by a sample of the tensor's elements, of those that rounding does not explain.
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
  /// In order of name.
  public let tensors: [TensorReport]

  /// - Parameters:
  ///   - base: the checkpoint that the patch is for; one without patches.
  ///   - target: the checkpoint that applying it gives.
  ///   - isCorrected: whether there are corrections.
  ///   - rankLimit: no tensor gets more components.
  ///   - describe: completes the manifest with what the checkpoints do not say: time, tool, author.
  ///   - progress: is told after every tensor how many bytes are done, of how many. May throw to stop.
  /// - Throws: an `ErrataError` if there is no difference, or one that a patch cannot hold: tensors that only one of them has,
  ///   that have another type or shape, or that are no finite weights.
  public init(
    from base: Checkpoint, to target: Checkpoint, choice: RankChoice = .smallest, isCorrected: Bool = true,
    rankLimit: Int = 256,
    progress: (_ done: Int, _ total: Int) throws -> Void = { _, _ in }
  ) throws {
    try Self.checkTensors(base, target)
    let names = base.tensorNames
    let total = try names.reduce(0) { try $0 + base.tensor(named: $1).info.byteCount }
    var done = 0
    var factors: [LowRankFactors] = []
    var reports: [TensorReport] = []
    var tensors: [ByteString: Manifest.BaseTensor] = [:]
    var results: [ByteString: Digest] = [:]
    var figures: [ByteString: Manifest.TensorFigures] = [:]
    for name in names {
      let (old, new) = (try base.tensor(named: name), try target.tensor(named: name))
      if old.countOfBytesThatDiffer(from: new) > 0 {
        guard old.dtype.isWeightType else { throw ErrataError.differenceOfOtherType(target.path, name, old.dtype) }
        let report: TensorReport
        if isCorrected {
          let fitted = try FittedDifference(from: old, to: new, choice: choice, rankLimit: rankLimit)
          report = TensorReport(fitted.factors, name, fitted.figures, missed: nil)
          factors.append(fitted.factors)
        } else {
          let fitted = try FittedDifference.withoutCorrection(
            from: old, to: new, choice: choice, rankLimit: rankLimit)
          guard fitted.figures.norm.isFinite else {
            throw ErrataError.differenceNotFinite(base.path, target.path, name)
          }
          report = TensorReport(fitted.factors, name, fitted.figures, missed: fitted.missed)
          if let found = fitted.factors { factors.append(found) }
        }
        reports.append(report)
        if let last = factors.last, last.name == name {
          tensors[name] = Manifest.BaseTensor(
            dtype: old.dtype, shape: old.shape, isTransposed: false, digest: old.digest())
          results[name] = new.digest()
          figures[name] = Manifest.TensorFigures(
            deltaNorm: last.deltaNorm(product), weightNorm: report.figures.weightNorm, deltaError: report.missed)
        }
      }
      done += old.info.byteCount
      try progress(done, total)
    }
    guard !reports.isEmpty else { throw ErrataError.noDifference(base.path, target.path) }
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
          facts: [], tensors: figures)
      ])
  }

  /// - Parameter created: when, in ISO 8601, UTC.
  /// - Returns: the patch as it was written.
  @discardableResult
  public func write(
    to path: String, author: String? = nil, licence: String? = nil, note: String? = nil, created: String,
    tool: Manifest.Tool
  ) throws -> Patch {
    var manifest = manifest
    (manifest.created, manifest.tool) = (created, tool)
    (manifest.author, manifest.licence, manifest.note) = (author, licence, note)
    return try PatchWriter.write(manifest, batches: [batch], to: path)
  }

  private static func checkTensors(_ base: Checkpoint, _ target: Checkpoint) throws {
    for name in Set(base.tensorNames).union(target.tensorNames).sorted() {
      guard base.contains(name) else { throw ErrataError.tensorOfOneCheckpoint(target.path, base.path, name) }
      guard target.contains(name) else { throw ErrataError.tensorOfOneCheckpoint(base.path, target.path, name) }
      let (old, new) = (try base.tensor(named: name), try target.tensor(named: name))
      guard old.dtype == new.dtype, old.shape == new.shape else {
        throw ErrataError.retypedTensor(base.path, target.path, old.info, new.info)
      }
    }
  }
}

extension DifferencePatch.TensorReport {
  /// - Parameter factors: nil if the tensor is left out.
  fileprivate init(_ factors: LowRankFactors?, _ name: ByteString, _ figures: DifferenceFigures, missed: Double?) {
    self.name = name
    self.figures = figures
    self.missed = missed
    rank = factors?.rank ?? 0
    correctedCount = factors?.correction?.count ?? 0
    factorType = factors.flatMap { $0.rank > 0 ? $0.left.dtype : nil }
  }
}

extension Checkpoint {
  /// What a manifest says about this checkpoint as a base.
  fileprivate func describe(_ tensors: [ByteString: Manifest.BaseTensor]) throws -> Manifest.Base {
    let name = path.split(separator: "/").last.map(String.init)
    guard let directory, let configurationPath else { return Manifest.Base(name: name, tensors: tensors) }
    return Manifest.Base(
      name: name, architecture: try JSON.parse(contentsOf: configurationPath)["model_type"]?.stringValue,
      configuration: try Digest(contentsOf: configurationPath),
      tokenizer: try? Digest(contentsOf: directory + "/tokenizer.json"), tensors: tensors)
  }
}

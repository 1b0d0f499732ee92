import Tensors

extension Manifest {
  /// One solved system.
  public struct Batch: Sendable, Equatable {
    /// The batch digest; the writer sets it.
    public var digest: Digest
    /// What a column of A and a row of B stand for.
    public var terms: Terms
    public var method: Method
    /// The digests of the batches that were on the base when this one was computed; nil for the parents' and those
    /// before this one in the patch.
    public var computedOn: [Digest]?
    /// What M is in U = M K; nil: C^-1, and no keys are held.
    public var metric: Metric?
    /// In the order of the terms, if terms are facts.
    public var facts: [Fact]
    public var statistics: Statistics?
    /// What is known about each edited tensor.
    public var tensors: [ByteString: TensorFigures]
    /// What a difference of two checkpoints does not hold: tensors that differ, and why they are not in it, for people.
    public var leftOut: [ByteString: String]
    /// Of some of these, how much of the tensor differs.
    public var leftOutFigures: [ByteString: LeftOutFigures] = [:]
    /// The adapter that the batch was imported from.
    public var adapter: Adapter?

    public init(
      digest: Digest = Digest(of: []), terms: Terms = .facts, method: Method, computedOn: [Digest]? = nil,
      facts: [Fact], statistics: Statistics? = nil, tensors: [ByteString: TensorFigures] = [:],
      leftOut: [ByteString: String] = [:]
    ) {
      self.digest = digest
      self.terms = terms
      self.method = method
      self.computedOn = computedOn
      self.facts = facts
      self.statistics = statistics
      self.tensors = tensors
      self.leftOut = leftOut
    }

    /// Names and reasons of what is left out, in few words: "13 tensors that differ are not in it: norm.0 (its shape,
    /// [64], is no matrix's) and 12 more"; nil if there is nothing.
    public var leftOutSummary: String? {
      guard !leftOut.isEmpty else { return nil }
      let what = leftOut.count == 1 ? "a tensor that differs is" : "\(leftOut.count) tensors that differ are"
      let names = leftOut.sorted { $0.key < $1.key }.map { "\($0.key) (\($0.value))" }
      return "\(what) not in it: \(boundedList(names, most: 1))"
    }

    /// rho, what was added to every element of C's diagonal before the batch was solved for a tensor: 0 without a
    /// ridge.
    ///
    /// - Returns: nil in a patch that records the ridge only as a share of a diagonal that it does not know.
    package func ridge(of tensor: ByteString) -> Double? {
      tensors[tensor]?.ridge ?? ((method.hyperparameters.ridge ?? 0) > 0 ? nil : 0)
    }
  }

  public enum Terms: String, Sendable, CaseIterable {
    /// Term e is fact e.
    case facts
    /// The terms belong to no single fact: a compacted batch, or the difference of two checkpoints.
    case components
  }

  /// How a batch was solved, and everything that is needed to solve it again.
  public struct Method: Sendable, Equatable {
    /// The difference of two checkpoints, exact with its corrections.
    public static let difference = "difference"
    /// What low rank can say of it, without corrections: not exact.
    public static let lowRankDifference = "low_rank_difference"

    /// `rome`, `memit`, `emmet`, or one of these; other methods may come, and apply does not depend on it.
    public var name: String
    /// The slack in D = R (G + lambda I)^-1 U^T; where terms have slacks of their own, the largest.
    public var lambda: Double
    /// The slacks of the terms, where they have their own.
    public var lambdas: [Double]?
    /// EMMET's regularisation.
    public var alpha: Double?
    /// w, the published mom2_update_weight.
    public var secondMomentWeight: Double?
    /// In the order in which they were edited.
    public var layers: [Int]
    public var hyperparameters: Hyperparameters

    public init(
      name: String, lambda: Double, alpha: Double? = nil, secondMomentWeight: Double? = nil, layers: [Int],
      hyperparameters: Hyperparameters = Hyperparameters()
    ) {
      self.name = name
      self.lambda = lambda
      self.alpha = alpha
      self.secondMomentWeight = secondMomentWeight
      self.layers = layers
      self.hyperparameters = hyperparameters
    }
  }

  /// The settings of the search for keys and values.
  public struct Hyperparameters: Sendable, Equatable {
    public var learningRate: Double?
    public var steps: Int?
    public var clampNormFactor: Double?
    public var weightDecay: Double?
    public var klFactor: Double?
    /// The loss below which a search stops.
    public var stopLoss: Double?
    public var seed: Int?
    /// The context templates, `{}` for the prompt.
    public var templates: [String]?
    /// For example "mean of group means".
    public var keyForm: String?
    public var lossLayer: Int?
    /// The share of the mean diagonal of C that was added to its diagonal.
    public var ridge: Double?

    /// The key form of ROME as published: what the constraint reads is not the key that the direction comes from.
    public static let publishedROMEKeyForm = "flat mean, divided by the bare prompt's key"

    public init(
      learningRate: Double? = nil, steps: Int? = nil, clampNormFactor: Double? = nil, weightDecay: Double? = nil,
      klFactor: Double? = nil, stopLoss: Double? = nil, seed: Int? = nil, templates: [String]? = nil,
      keyForm: String? = nil, lossLayer: Int? = nil, ridge: Double? = nil
    ) {
      self.learningRate = learningRate
      self.steps = steps
      self.clampNormFactor = clampNormFactor
      self.weightDecay = weightDecay
      self.klFactor = klFactor
      self.stopLoss = stopLoss
      self.seed = seed
      self.templates = templates
      self.keyForm = keyForm
      self.lossLayer = lossLayer
      self.ridge = ridge
    }
  }

  /// The second moments that a batch was solved with.
  public struct Statistics: Sendable, Equatable {
    /// SHA-256 of the file that holds them.
    public var digest: Digest?
    public var tokenCount: Int?
    public var corpus: String?
    /// SHA-256 of the corpus.
    public var corpusDigest: Digest?

    public init(digest: Digest? = nil, tokenCount: Int? = nil, corpus: String? = nil, corpusDigest: Digest? = nil) {
      self.digest = digest
      self.tokenCount = tokenCount
      self.corpus = corpus
      self.corpusDigest = corpusDigest
    }
  }

  /// Figures about a batch's change D of one tensor W.
  public struct TensorFigures: Sendable, Equatable {
    public var layer: Int?
    /// The slack of this tensor's system, where it is not the method's.
    public var slack: TermSlack?
    /// The Frobenius norm of D.
    public var deltaNorm: Double?
    /// The Frobenius norm of W in the base.
    public var weightNorm: Double?
    /// The largest over the facts of norm(D_stored k - D k) / norm(r).
    public var storageError: Double?
    /// tr(A G A^T) - rho norm(D)^2, the mean squared disturbance of ordinary text; an upper bound where rho is not
    /// known (`Batch.ridge(of:)`).
    public var preservation: Double?
    /// rho, what was added to every element of C's diagonal; nil without a ridge.
    public var ridge: Double?
    /// The largest over the facts of norm(D k - r) / norm(r), as solved.
    public var memorization: Double?
    /// tr(W C W^T), the mean squared output on ordinary text.
    public var outputPower: Double?
    /// |D - D'| / |D'|, Frobenius, where D' is the change in the patch that this one was made from.
    public var deltaError: Double?
    /// What a smaller rank cost.
    public var compaction: Compaction?
    /// What the adapter's product was multiplied by, where it is not the adapter's `scaling`.
    public var scaling: Double?

    public init(
      layer: Int? = nil, deltaNorm: Double? = nil, weightNorm: Double? = nil, storageError: Double? = nil,
      preservation: Double? = nil, ridge: Double? = nil, memorization: Double? = nil, outputPower: Double? = nil,
      deltaError: Double? = nil, compaction: Compaction? = nil
    ) {
      self.layer = layer
      self.deltaNorm = deltaNorm
      self.weightNorm = weightNorm
      self.storageError = storageError
      self.preservation = preservation
      self.ridge = ridge
      self.memorization = memorization
      self.outputPower = outputPower
      self.deltaError = deltaError
      self.compaction = compaction
    }
  }

  /// How a tensor's change came to a smaller rank, and what that cost before the factors were rounded.
  public struct Compaction: Sendable, Equatable {
    /// In which norm the change is the nearest one of its rank: `weights`, `text` or `facts`.
    public var norm: String
    /// The largest error in that norm that was asked for; nil where a rank was.
    public var tolerance: Double?
    /// How many terms there were.
    public var terms: Int
    /// The error as a share of the change, by the Frobenius norm.
    public var weightsError: Double
    /// Likewise, by what ordinary text is disturbed.
    public var textError: Double?
    /// Likewise, at the keys of the facts: the root mean square of what each fact loses.
    public var factsError: Double?
    /// What the fact that loses most loses.
    public var worstFactError: Double?

    public init(
      norm: String, tolerance: Double? = nil, terms: Int, weightsError: Double, textError: Double? = nil,
      factsError: Double? = nil, worstFactError: Double? = nil
    ) {
      self.norm = norm
      self.tolerance = tolerance
      self.terms = terms
      self.weightsError = weightsError
      self.textError = textError
      self.factsError = factsError
      self.worstFactError = worstFactError
    }
  }
}

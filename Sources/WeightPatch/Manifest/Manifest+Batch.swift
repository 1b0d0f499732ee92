import Tensors

extension Manifest {
  /// One solved system.
  public struct Batch: Sendable, Equatable {
    /// The batch digest; the writer sets it.
    public var digest: Digest
    /// What a column of A and a row of B stand for.
    public var terms: Terms
    public var method: Method
    /// The digests of the batches that were on the base when this one was computed; nil for the parents' and those before
    /// this one in the patch.
    public var computedOn: [Digest]?
    /// In the order of the terms, if terms are facts.
    public var facts: [Fact]
    public var statistics: Statistics?
    /// What is known about each edited tensor.
    public var tensors: [ByteString: TensorFigures]

    public init(
      digest: Digest = Digest(of: []), terms: Terms = .facts, method: Method, computedOn: [Digest]? = nil,
      facts: [Fact], statistics: Statistics? = nil, tensors: [ByteString: TensorFigures] = [:]
    ) {
      self.digest = digest
      self.terms = terms
      self.method = method
      self.computedOn = computedOn
      self.facts = facts
      self.statistics = statistics
      self.tensors = tensors
    }
  }

  public enum Terms: String, Sendable {
    /// Term e is fact e.
    case facts
    /// The terms belong to no single fact: a compacted batch, or the difference of two checkpoints.
    case components
  }

  /// How a batch was solved, and everything that is needed to solve it again.
  public struct Method: Sendable, Equatable {
    /// `rome`, `memit`, `emmet`; other methods may come, and apply does not depend on it.
    public var name: String
    /// The slack in D = R (G + lambda I)^-1 U^T.
    public var lambda: Double
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
    /// The Frobenius norm of D.
    public var deltaNorm: Double?
    /// The Frobenius norm of W in the base.
    public var weightNorm: Double?
    /// The largest over the facts of norm(D_stored k - D k) / norm(r).
    public var storageError: Double?
    /// tr(A G A^T), the mean squared disturbance of ordinary text.
    public var preservation: Double?
    /// The largest over the facts of norm(D k - r) / norm(r), as solved.
    public var memorization: Double?
    /// tr(W C W^T), the mean squared output on ordinary text.
    public var outputPower: Double?

    public init(
      layer: Int? = nil, deltaNorm: Double? = nil, weightNorm: Double? = nil, storageError: Double? = nil,
      preservation: Double? = nil, memorization: Double? = nil, outputPower: Double? = nil
    ) {
      self.layer = layer
      self.deltaNorm = deltaNorm
      self.weightNorm = weightNorm
      self.storageError = storageError
      self.preservation = preservation
      self.memorization = memorization
      self.outputPower = outputPower
    }
  }
}

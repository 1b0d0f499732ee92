import Tensors

extension Manifest {
  /// What M is in U = M K, G = K^T M K (Spec: the metric).
  public struct Metric: Sendable, Equatable {
    public enum Kind: String, Sendable, CaseIterable {
      /// C^-1, with a ridge where the hyperparameters have one.
      case secondMoments = "second_moments"
      /// P, the projection onto the directions that ordinary text uses least.
      case projection
      /// I.
      case identity
    }

    public var kind: Kind
    /// Of a projection: the largest share of the trace of C that its directions may have.
    public var energy: Double?
    /// The keys at which D was to stay zero, in the order of the columns of H.
    public var held: [Held]

    public init(kind: Kind, energy: Double? = nil, held: [Held] = []) {
      self.kind = kind
      self.energy = energy
      self.held = held
    }

    /// mu of every column of H.
    package var heldSlacks: [Double] { held.flatMap { $0.mu.values(count: $0.keyCount) } }
  }

  /// Keys that a batch holds at residual 0: those of an earlier batch, or of protected subjects.
  public struct Held: Sendable, Equatable {
    /// The digest of the batch whose keys they are.
    public var batch: Digest?
    /// The digest of the protected keys, where they are no batch's (Spec: the metric).
    public var protected: Digest?
    public var keyCount: Int
    /// The slack at these keys: 0 holds them exactly.
    public var mu: TermSlack

    /// The mu of a key that stands among those of its batch but is not held: its fact gave way to another.
    public static let freeSlack = 1e300

    public init(batch: Digest? = nil, protected: Digest? = nil, keyCount: Int, mu: TermSlack) {
      self.batch = batch
      self.protected = protected
      self.keyCount = keyCount
      self.mu = mu
    }
  }

  /// The slack of a system: lambda, or the diagonal matrix that stands for lambda I.
  public enum TermSlack: Sendable, Equatable {
    case same(Double)
    /// One for each term, in their order.
    case perTerm([Double])

    public func values(count: Int) -> [Double] {
      switch self {
      case .same(let value): Array(repeating: value, count: count)
      case .perTerm(let values): values
      }
    }

    public var largest: Double {
      switch self {
      case .same(let value): value
      case .perTerm(let values): values.max() ?? 0
      }
    }

    /// That of some of the terms.
    package func keeping(_ terms: [Int]) -> TermSlack {
      if case .perTerm(let values) = self { .perTerm(terms.map { values[$0] }) } else { self }
    }

    func fits(termCount: Int) -> Bool {
      if case .perTerm(let values) = self { values.count == termCount } else { true }
    }
  }

  /// What a batch was imported from: a LoRA adapter, whose product is the change (Spec: adapters).
  public struct Adapter: Sendable, Equatable {
    /// For people.
    public var name: String?
    /// SHA-256 of the file with the adapter's weights.
    public var digest: Digest
    /// SHA-256 of its configuration.
    public var configuration: Digest?
    public var alpha: Double?
    /// r, as the configuration has it.
    public var rank: Int?
    /// Whether alpha was divided by the root of r.
    public var isRankStabilized: Bool
    /// What the product of the two matrices was multiplied by: alpha / r, or what the configuration makes of them.
    public var scaling: Double
    /// The parts of the adapter that the batch does not hold, by their names there, each with the reason, for people.
    public var dropped: [ByteString: String]

    public init(
      name: String? = nil, digest: Digest, configuration: Digest? = nil, alpha: Double? = nil, rank: Int? = nil,
      isRankStabilized: Bool = false, scaling: Double, dropped: [ByteString: String] = [:]
    ) {
      self.name = name
      self.digest = digest
      self.configuration = configuration
      self.alpha = alpha
      self.rank = rank
      self.isRankStabilized = isRankStabilized
      self.scaling = scaling
      self.dropped = dropped
    }
  }

  /// How much of a tensor a difference of two checkpoints leaves out.
  public struct LeftOutFigures: Sendable, Equatable {
    /// How many elements differ.
    public var elementCount: Int?
    /// The Frobenius norm of the difference.
    public var deltaNorm: Double?
    /// That of the tensor in the base.
    public var weightNorm: Double?

    public init(elementCount: Int? = nil, deltaNorm: Double? = nil, weightNorm: Double? = nil) {
      self.elementCount = elementCount
      self.deltaNorm = deltaNorm
      self.weightNorm = weightNorm
    }
  }
}

extension Manifest.Method {
  /// The slack of its systems.
  public var slack: Manifest.TermSlack {
    get { lambdas.map { .perTerm($0) } ?? .same(lambda) }
    set {
      lambda = newValue.largest
      if case .perTerm(let values) = newValue { lambdas = values } else { lambdas = nil }
    }
  }
}

extension Manifest.Batch {
  /// The slack that a tensor's system was solved with.
  public func slack(of tensor: ByteString) -> Manifest.TermSlack { tensors[tensor]?.slack ?? method.slack }
}

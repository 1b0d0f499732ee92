import ArgumentParser
import KnowledgeEditing
import PatchAlgebra
import SecondMomentStatistics
import Tensors
import ToolSupport
import Transformer

/// The settings of an edit on the command line. What is not given comes from the preset.
struct SettingOptions: ParsableArguments {
  @Option(help: "rome, memit or emmet (default: the one that --hparams is for, or emmet).")
  var method: EditMethod?

  @Option(
    help: ArgumentHelp(
      "Settings published for a model: \(Preset.all.map(\.name).joined(separator: ", ")).",
      discussion: "Default: the one whose architecture is the model's."))
  var preset: String?

  @Option(
    help: ArgumentHelp(
      "Settings in a file of rome, memit or unified-model-editing (JSON) or EasyEdit (YAML).",
      discussion: "They stand in for the preset's, and the options below for both.", valueName: "file"))
  var hparams: String?

  @Option(help: "The layers to edit, like 5, 3,4,5 or 3-5.")
  var layers: String?

  @Option(parsing: .unconditional, help: "The value search's learning rate (Adam).")
  var learningRate: Double?

  @Option(parsing: .unconditional, help: "The most steps of a value search.")
  var steps: Int?

  @Option(parsing: .unconditional, help: "The largest norm of a delta, in units of the value's norm.")
  var clamp: Double?

  @Option(parsing: .unconditional, help: "The value search's weight decay.")
  var weightDecay: Double?

  @Option(parsing: .unconditional, help: "The weight of the KL term, which holds the model's picture of the subject.")
  var klFactor: Double?

  @Option(parsing: .unconditional, help: "End a value search once its loss is below this.")
  var stopLoss: Double?

  @Option(
    name: [.long, .customShort("w")], parsing: .unconditional, help: "w, the weight of ordinary text: MEMIT's slack.")
  var secondMomentWeight: Double?

  @Option(parsing: .unconditional, help: "EMMET's slack as a share of w (not added for a single fact).")
  var alpha: Double?

  @Option(parsing: .unconditional, help: "The slack itself, instead of what the method makes of alpha and w.")
  var lambda: Double?

  @OptionGroup
  var goal: SlackGoalOptions

  @Option(parsing: .unconditional, help: "Add this share of the mean diagonal to the diagonal of the second moments.")
  var ridge: Double?

  @Flag(help: "ROME: divide by the bare prompt's key, as published, instead of the mean key.")
  var publishedRome = false

  @Flag(help: "Leave out facts whose keys depend linearly on others'.")
  var dropDependent = false

  @Flag(
    help: """
      Let the edit change what earlier patches on the checkpoint have taught, as the published methods do. By default \
      their facts are held: a sequence is then the edit of all its facts at once.
      """)
  var noHistory = false

  @Option(parsing: .unconditional, help: "The seed of the sampled context templates.")
  var seed: UInt64 = 0

  func validate() throws {
    func check(_ value: Double?, _ name: String, allowsZero: Bool = true) throws {
      if let value, !(value >= 0) || !value.isFinite || (value == 0 && !allowsZero) {
        throw ValidationError("\(name) must be \(allowsZero ? "zero or more" : "positive")")
      }
    }
    try check(learningRate, "--learning-rate", allowsZero: false)
    try check(clamp, "--clamp", allowsZero: false)
    try check(weightDecay, "--weight-decay")
    try check(klFactor, "--kl-factor")
    try check(stopLoss, "--stop-loss")
    try check(secondMomentWeight, "--second-moment-weight")
    try check(alpha, "--alpha")
    try check(lambda, "--lambda")
    try check(ridge, "--ridge")
    if goal.areGiven, publishedRome { throw ValidationError("--published-rome has no slack to choose") }
    if goal.areGiven, lambda != nil || alpha != nil || secondMomentWeight != nil {
      throw ValidationError("--budget and --short stand for --lambda, --alpha and -w")
    }
    if let steps, steps < 1 { throw ValidationError("--steps must be positive") }
    // Without a method on the command line, the one of --hparams counts.
    if publishedRome, method != .rome, method != nil || hparams == nil {
      throw ValidationError("--published-rome goes with --method rome")
    }
    if let preset, Preset.named(preset) == nil {
      throw ValidationError(
        "there is no preset '\(preset)', only \(Preset.all.map(\.name).joined(separator: ", "))")
    }
  }

  /// - Throws: an `ErrataError` if the hyperparameter file does not serve, a usage error for a malformed list of
  ///   layers.
  func settings(for model: LanguageModel, statistics: SecondMoments) throws -> EditSettings {
    let architecture = model.architecture
    let file = try hparams.map(HyperparameterFile.init(contentsOf:))
    let method = method ?? file?.method ?? .emmet
    if publishedRome, method != .rome { throw ErrataError.publishedROMEOnly }
    let chosen = preset.flatMap(Preset.named) ?? Preset.matching(architecture)
    var settings = chosen?.settings(for: method) ?? Preset.fallback(method, architecture)
    let notices = try file?.apply(to: &settings, for: architecture) ?? []
    for notice in notices { printNotice("errata edit: \(notice)") }
    if layers == nil, file?.choosesLayers != true {
      if let chosen, !chosen.covers(method) {
        printNotice(
          "errata edit: no \(method.rawValue) settings are published for \(chosen.name): taking layer "
            + "\(settings.layers[0]) and the value search from rome's; choose with --layers and -w")
      } else if chosen == nil, layers == nil {
        let proposal = try LayerProposal(statistics, model: model, ridge: ridge ?? settings.ridge)
        settings.layers = [proposal.layer]
        printNotice(
          "errata edit: no preset fits this model: editing layer \(proposal.layer) of \(architecture.layerCount), by "
            + "its "
            + "depth, its second moments and a probe of a few prompts; 'errata tune' tries others on facts, --layers "
            + "chooses")
      }
    }
    if let layers { settings.layers = try parseLayers(layers) }
    settings.learningRate = learningRate ?? settings.learningRate
    settings.steps = steps ?? settings.steps
    settings.clampNormFactor = clamp ?? settings.clampNormFactor
    settings.weightDecay = weightDecay ?? settings.weightDecay
    settings.klFactor = klFactor ?? settings.klFactor
    settings.stopLoss = stopLoss ?? settings.stopLoss
    settings.secondMomentWeight = secondMomentWeight ?? settings.secondMomentWeight
    settings.alpha = alpha ?? settings.alpha
    settings.lambda = lambda ?? settings.lambda
    settings.slackGoal = goal.goal(budget: SlackGoal.budget, short: SlackGoal.short)
    settings.ridge = ridge ?? settings.ridge
    settings.usesPublishedROME = publishedRome
    settings.dropsDependentFacts = dropDependent
    settings.holdsEarlierFacts = !noHistory
    settings.seed = seed
    return settings
  }
}

extension EditMethod: ExpressibleByArgument {}

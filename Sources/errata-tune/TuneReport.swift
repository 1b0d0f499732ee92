import EditEvaluation
import Foundation
import KnowledgeEditing
import Tensors
import ToolSupport

/// What `errata tune` says: every trial, and the best.
struct TuneReport: Answer {
  let kind = "tune"

  let trials: [SettingSearch.Trial]
  /// Where the best settings were written to.
  let output: String?

  private var bestIndex: Int {
    trials.indices.reduce(0) { trials[$1].isBetter(than: trials[$0]) ? $1 : $0 }
  }

  /// The trials whose S is the best one's, to the digit that is shown; the best alone, if the facts give no S.
  private var tied: [Int] {
    guard let score = best.scores.harmonicMean else { return [bestIndex] }
    return trials.indices.filter { Self.shown(trials[$0].scores.harmonicMean) == Self.shown(score) }
  }

  private var best: SettingSearch.Trial { trials[bestIndex] }

  /// The best settings under the reference implementations' names, as `--hparams` reads them.
  var hyperparameters: JSON {
    let settings = best.settings
    var object = JSONObject([
      "alg_name": JSON(settings.method.rawValue.uppercased()), "layers": .array(settings.layers.map { .integer($0) }),
      "clamp_norm_factor": .double(settings.clampNormFactor), "v_num_grad_steps": .integer(settings.steps),
      "v_lr": .double(settings.learningRate), "v_weight_decay": .double(settings.weightDecay),
      "kl_factor": .double(settings.klFactor), "mom2_update_weight": .double(settings.secondMomentWeight),
    ])
    if settings.method == .emmet { object["emmet_lambda"] = .double(settings.alpha) }
    return .object(object)
  }

  var json: JSON {
    [
      "trials": .array(trials.map(\.json)), "best": .integer(bestIndex),
      "tied": .array(tied.map { .integer($0) }), "hyperparameters": hyperparameters,
      "output": JSON(output),
    ]
  }

  var lines: [String] {
    var table = TextTable([
      ("", .left), ("layer", .right), ("clamp", .right), ("w", .right), ("ES", .right), ("PS", .right), ("NS", .right),
      ("S", .right), ("P(new)", .right), ("disturbs", .right),
    ])
    for (index, trial) in trials.enumerated() {
      let (settings, scores) = (trial.settings, trial.scores)
      table.append([
        index == bestIndex ? "best" : "", String(settings.layers[0]), Self.number(settings.clampNormFactor),
        Self.number(settings.secondMomentWeight), Self.shown(scores.efficacy), Self.shown(scores.paraphrase),
        Self.shown(scores.neighborhood), Self.shown(scores.harmonicMean), Self.shown(scores.probabilityNew),
        formatShare(trial.disturbance, digits: 2),
      ])
    }
    let settings = best.settings
    return table.lines + [
      "best: --method \(settings.method.rawValue) --layers \(settings.layers[0]) "
        + "--clamp \(Self.number(settings.clampNormFactor)) -w \(Self.number(settings.secondMomentWeight))"
        + (output.map { ", in \($0)" } ?? "")
    ] + (tied.count > 1 ? [tie] : [])
  }

  private var tie: String {
    "\(tied.count) of \(counted(trials.count, "setting")) tie at S \(Self.shown(best.scores.harmonicMean)); "
      + "more facts may tell them apart"
  }

  private static func shown(_ score: Double?) -> String { score.map { String(format: "%.1f", $0) } ?? "-" }

  private static func number(_ value: Double) -> String { String(format: "%.15g", value) }
}

extension SettingSearch.Trial {
  fileprivate var json: JSON {
    [
      "layer": .integer(settings.layers[0]), "clamp": .double(settings.clampNormFactor),
      "second_moment_weight": .double(settings.secondMomentWeight), "scores": scores.json,
      "disturbance": JSON(disturbance),
    ]
  }
}

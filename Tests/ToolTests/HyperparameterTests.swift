import Tensors
import Testing

extension ToolTests {
  /// `--hparams`: settings in the files of the reference implementations.
  @Suite struct Hyperparameters {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private let edit = [
      "edit", "samples/model", "--facts", "samples/facts.json", "--records", "0", "--stats",
      "samples/stats.safetensors", "--quiet", "-o", "o.wpatch", "--force",
    ]

    private func method(_ arguments: [String]) throws -> (JSON, notices: String) {
      let result = try scratch.succeed(edit + arguments)
      let manifest = try #require(try scratch.succeed("show", "o.wpatch", "--json").json["manifest"])
      return (try #require(manifest["batches"]?.arrayValue?.first?["method"]), result.errors)
    }

    /// The file stands in for the preset, the command line for both, and the patch says what was used.
    @Test func presetFileAndCommandLine() throws {
      try scratch.write(
        """
        alg_name: "MEMIT"
        model_name: "./hugging_cache/sample"
        layers: [1]
        v_num_grad_steps: 7
        v_lr: 4e-1
        clamp_norm_factor: 3
        mom2_update_weight: 20
        rewrite_module_tmp: "model.layers.{}.mlp.down_proj"
        v_loss_layer: 5
        """, to: "hparams.yaml")
      let (used, notices) = try method(["--hparams", "hparams.yaml", "--clamp", "2.5"])
      #expect(notices == "errata edit: hparams.yaml: without effect here: model_name\n")
      #expect(used["name"] == "memit")
      #expect(used["layers"] == [1])
      #expect(used["second_moment_weight"]?.doubleValue == 20)
      #expect(used["lambda"]?.doubleValue == 20)
      let search = try #require(used["hyperparameters"])
      #expect(search["steps"] == 7)
      #expect(search["learning_rate"]?.doubleValue == 0.4)
      #expect(search["clamp_norm_factor"]?.doubleValue == 2.5)
      #expect(search["weight_decay"]?.doubleValue == 1e-3)

      let (other, _) = try method(["--hparams", "hparams.yaml", "--method", "rome"])
      #expect(other["name"] == "rome")
      #expect(other["hyperparameters"]?["steps"] == 7)
    }

    @Test func anotherModelsPresetWithoutTheMethod() throws {
      let result = try Tool.errata(edit + ["--preset", "mistral-7b"], in: scratch.path)
      // The sample's second moments are of layers 0 to 2.
      #expect(result.exitCode == 1)
      #expect(
        result.errors.hasPrefix(
          "errata edit: no emmet settings are published for mistral-7b: taking layer 5 and the value search from "
            + "rome's; choose with --layers and -w\n"))
      #expect(result.errors.contains("has no second moments of layer 5"))
      let (used, notices) = try method(["--preset", "mistral-7b", "--layers", "1", "-w", "3"])
      #expect(used["name"] == "emmet")
      #expect(used["second_moment_weight"]?.doubleValue == 3)
      #expect(notices == "")
    }

    @Test func refused() throws {
      try scratch.write(#"{"v_loss_layer": 31}"#, to: "hparams.json")
      try scratch.fail(
        edit + ["--hparams", "hparams.json"], exitCode: 2,
        message: "errata edit: hparams.json: 'v_loss_layer' is 31, but the loss is read at the model's last layer, 5")
      try scratch.fail(
        edit + ["--hparams", "missing.json"], exitCode: 1,
        message: "errata edit: missing.json: cannot open: no such file or directory")
      try scratch.write("alg_name: MEMIT", to: "memit.yaml")
      try scratch.fail(
        edit + ["--hparams", "memit.yaml", "--published-rome"], exitCode: 2,
        message: "errata edit: --published-rome goes with --method rome")
    }

    @Test func nestedTooDeeply() throws {
      for (text, message) in [
        (
          "alg_name: \"EMMET\"\nlayers: " + String(repeating: "[", count: 100_000),
          "line 2: lists nested more than 64 levels deep"
        ),
        (
          "{\"layers\": " + String(repeating: "[", count: 100_000),
          "not valid JSON at byte 74: nested more than 64 levels deep"
        ),
      ] {
        try scratch.write(text, to: "deep")
        try scratch.fail(edit + ["--hparams", "deep"], exitCode: 6, message: "errata edit: deep: \(message)")
      }
    }

    /// EasyEdit's, as it stands.
    @Test func rROMEIsOurROME() throws {
      try scratch.write(
        """
        alg_name: "R-ROME"
        model_name: "./model"
        layers: [1]
        fact_token: "subject_last"
        v_num_grad_steps: 25
        v_lr: 5e-1
        v_loss_layer: 5
        v_weight_decay: 1e-3
        clamp_norm_factor: 4
        kl_factor: 0.0625
        mom2_adjustment: false
        rewrite_module_tmp: "model.layers.{}.mlp.down_proj"
        layer_module_tmp: "model.layers.{}"
        mom2_dataset: "wikipedia"
        mom2_n_samples: 100000
        mom2_dtype: "float32"
        """, to: "r-rome.yaml")
      let (used, _) = try method(["--hparams", "r-rome.yaml"])
      #expect(used["name"] == "rome")
      #expect(used["layers"] == [1])
      #expect(used["hyperparameters"]?["key_form"] != "published ROME")
      let (rome, _) = try method(["--method", "rome", "--layers", "1", "--clamp", "4", "--weight-decay", "1e-3"])
      #expect(used == rome)
    }
  }
}

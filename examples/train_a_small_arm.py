"""Train a very small model of the arm d4a4 on the demo corpus, and score it next to the model of the package."""

import tempfile
from pathlib import Path

import antiphon

# %% The preset `tiny` exists for tests: one epoch takes seconds, and the model stays near chance.
run = antiphon.train(
    antiphon.open_corpus("demo", split="train"),
    arm="d4a4",
    preset="tiny",
    epochs=1,
    out=Path(tempfile.mkdtemp()) / "run",
)
print(run.result["arm"], "-", run.result["segments"], "windows, model in", run.model_folder)

# %% Score both on the test split. S is the recall at 10 among 256 windows, in percent, of the worse direction.
test = antiphon.open_corpus("demo", split="test")
for model in (run.load_model(), antiphon.load_model("default")):
    evaluation = antiphon.evaluate(model, test, protocol="strict")
    print(f"{model.name}: S {evaluation['S']:.1f} %, chance {evaluation['chance']['R@10']:.1f} %")

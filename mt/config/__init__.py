"""Every option of a recipe and of a model folder, defined once: unit, range, default, source.

Knows names, ranges and defaults, and how to read a recipe. Does not know how an option is
carried out. Each field's docstring is its documentation: the command line's help and the
generated tables read it from here, nowhere else.

options.py      what all tables have in common, and in which words one is refused
recipe.py       a recipe whole, and how it is read from a TOML file
changes.py      single options of a recipe changed, as on a command line
purpose.py      what a model is for, at the head of a recipe
data.py         [data]
tokenizer.py    [tokenizer]
model.py        [model]
variant.py      what of it says which equations a memory cell follows
training.py     [training]
search.py       [search]; in no recipe: how texts go on, reranking, fusion
engine.py       what does the arithmetic; this and the rest are in no recipe
evaluation.py   how translations are compared
job.py          how whole files are translated
probe.py        how units that keep track of something are looked for
"""

from mt.config.changes import read_changes, with_options
from mt.config.data import DataConfig
from mt.config.engine import EngineConfig, EngineName
from mt.config.evaluation import EvaluationConfig, Words
from mt.config.job import JobConfig
from mt.config.model import ModelConfig
from mt.config.options import LanguageCode, ModelName, Options, did_you_mean, parse
from mt.config.probe import ProbeConfig
from mt.config.purpose import Purpose, Segmentation, Task, check_task
from mt.config.recipe import Recipe, load_recipe
from mt.config.search import ContinuationConfig, FusionConfig, RerankConfig, SearchConfig
from mt.config.tokenizer import TokenizerConfig
from mt.config.training import TrainingConfig
from mt.config.variant import STANDARD, Variant

__all__ = [
    "STANDARD",
    "ContinuationConfig",
    "DataConfig",
    "EngineConfig",
    "EngineName",
    "EvaluationConfig",
    "FusionConfig",
    "JobConfig",
    "LanguageCode",
    "ModelConfig",
    "ModelName",
    "Options",
    "ProbeConfig",
    "Purpose",
    "Recipe",
    "RerankConfig",
    "SearchConfig",
    "Segmentation",
    "Task",
    "TokenizerConfig",
    "TrainingConfig",
    "Variant",
    "Words",
    "check_task",
    "did_you_mean",
    "load_recipe",
    "parse",
    "read_changes",
    "with_options",
]

